/**
 * What `backups.view` costs per call, at growing table sizes: `node bench/catalog-view.ts [10000 100000 …]`.
 * Chains of 30 backups; every id is asked for in turn, so that the pages touched are spread over the file.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCatalog } from "#catalog/open.ts";
import { sampleBackup, sampleCheckpoint, sampleVault, sampleVolume } from "#catalog/samples.ts";

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000];
const chainLength = 30;
const calls = 200_000;

for (const size of sizes) {
  const folder = mkdtempSync(join(tmpdir(), "catalog-view-"));
  const catalog = await openCatalog({ path: join(folder, "catalog.db") });
  try {
    const vault = sampleVault();
    const checkpoint = sampleCheckpoint({ vaultId: vault.id });
    const volume = sampleVolume();
    const ids: string[] = [];
    for (let at = 0; at < size; at += 10_000) {
      await catalog.transaction(async (tables) => {
        if (at === 0) {
          await tables.vaults.insert(vault);
          await tables.checkpoints.insert(checkpoint);
          await tables.resources.insert(volume);
        }
        let base: string | null = null;
        let chain = "";
        for (let i = at; i < Math.min(size, at + 10_000); i++) {
          const backup = sampleBackup({
            vaultId: vault.id,
            checkpointId: checkpoint.id,
            resourceId: volume.id,
            baseId: base,
            createdAt: 1_700_000_000_000_000 + i,
          });
          if (i % chainLength === 0) chain = backup.id;
          await tables.backups.insert({ ...backup, baseId: backup.id === chain ? null : base, chainId: chain });
          base = backup.id;
          ids.push(backup.id);
        }
      });
    }
    const stride = 7919;
    const measure = async (count: number): Promise<number> => {
      const start = performance.now();
      let seen = 0;
      for (let i = 0; i < count; i++) {
        const view = await catalog.backups.view(vault.projectId, ids[(i * stride) % ids.length]!);
        if (view?.backup.statistics !== null) seen++;
      }
      if (seen !== count) throw new Error(`only ${seen} of ${count} views were found`);
      return ((performance.now() - start) * 1000) / count;
    };
    await measure(20_000);
    console.log(`${size} backups: ${(await measure(calls)).toFixed(1)} µs per view`);
  } finally {
    await catalog.close();
    rmSync(folder, { recursive: true });
  }
}
