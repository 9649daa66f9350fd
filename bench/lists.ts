/**
 * Lists with filters, and ShowBackup, over HTTP: at 10 vaults with 1,000 backups, and at 1,000 vaults with 100,000.
 * `node bench/lists.ts [--requests 300]`.
 * Each size has a service of its own; requests go one after the other. Tells p50 and p99 of both, and the ratio of the p99s.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openCatalog } from "#catalog/open.ts";
import { sampleBackup, sampleCheckpoint, sampleVault, sampleVolume } from "#catalog/samples.ts";
import { Client, devProjectId } from "../test/support/client.ts";
import { startService } from "../test/support/service.ts";

const { values } = parseArgs({ options: { requests: { type: "string", default: "300" } } });
const requests = Number(values.requests);
const sizes = [
  { vaults: 10, backups: 1_000 },
  { vaults: 1_000, backups: 100_000 },
];
const firstUs = 1_700_000_000_000_000;
const hourUs = 3_600_000_000;
const isoOf = (us: number): string => new Date(us / 1000).toISOString().slice(0, 19) + "Z";

interface Filled {
  vaultIds: string[];
  backupIds: string[];
  resourceIds: string[];
  lastUs: number;
}

/** One disk per vault, its backups an hour apart, all in one project. */
async function fill(path: string, size: (typeof sizes)[number]): Promise<Filled> {
  const catalog = await openCatalog({ path });
  const filled: Filled = { vaultIds: [], backupIds: [], resourceIds: [], lastUs: firstUs };
  const each = size.backups / size.vaults;
  for (let index = 0; index < size.vaults; index++) {
    await catalog.transaction(async (tables) => {
      const vault = sampleVault({ projectId: devProjectId, name: `vault-${index}`, createdAt: firstUs + index });
      const volume = sampleVolume({ projectId: devProjectId, name: `disk-${index}`, createdAt: firstUs + index });
      const checkpoint = sampleCheckpoint({ projectId: devProjectId, vaultId: vault.id });
      await tables.vaults.insert(vault);
      await tables.resources.insert(volume);
      await tables.checkpoints.insert(checkpoint);
      await tables.vaults.bind({ vaultId: vault.id, resourceId: volume.id, type: volume.type, excludeVolumes: [], suspended: false });
      filled.vaultIds.push(vault.id);
      filled.resourceIds.push(volume.id);
      for (let at = 0; at < each; at++) {
        const createdAt = firstUs + at * hourUs + index;
        const backup = sampleBackup({
          projectId: devProjectId,
          vaultId: vault.id,
          checkpointId: checkpoint.id,
          resourceId: volume.id,
          resourceName: volume.name,
          name: `nightly-${index}-${at}`,
          createdAt,
        });
        await tables.backups.insert({ ...backup, baseId: null, chainId: backup.id });
        filled.backupIds.push(backup.id);
        filled.lastUs = Math.max(filled.lastUs, createdAt);
      }
    });
  }
  await catalog.close();
  return filled;
}

/** What is asked; `i` varies the object asked for. */
const questions: Record<string, (filled: Filled, i: number) => string> = {
  ShowBackup: ({ backupIds }, i) => `backups/${backupIds[(i * 7919) % backupIds.length]}`,
  "backups of a vault": ({ vaultIds }, i) => `backups?vault_id=${vaultIds[i % vaultIds.length]}&limit=50`,
  "backups of a resource, available, sorted by name": ({ resourceIds }, i) =>
    `backups?resource_id=${resourceIds[i % resourceIds.length]}&status=available&sort=name:asc&limit=50`,
  "backups by name": (_filled, i) => `backups?name=nightly-${i % 10}-${i % 100}`,
  "backups of the last hours": ({ lastUs }) => `backups?start_time=${isoOf(lastUs - hourUs / 2)}&limit=50`,
  "newest backups": () => "backups?limit=50",
  "vaults by name": (_filled, i) => `vaults?name=vault-${i % 10}`,
  "vaults of a resource": ({ resourceIds }, i) => `vaults?resource_ids=${resourceIds[i % resourceIds.length]}`,
  "newest vaults": () => "vaults?limit=10",
};

async function measure(client: Client, ask: (i: number) => string): Promise<{ p50Ms: number; p99Ms: number }> {
  const took: number[] = [];
  for (let i = 0; i < requests + 20; i++) {
    const start = performance.now();
    const { status } = await client.call("GET", `/v3/${devProjectId}/${ask(i)}`);
    if (status !== 200) throw new Error(`${ask(i)}: ${status}`);
    if (i >= 20) took.push(performance.now() - start);
  }
  took.sort((one, other) => one - other);
  return { p50Ms: took[Math.floor(took.length / 2)]!, p99Ms: took[Math.floor(took.length * 0.99)]! };
}

const figures: Record<string, { p50Ms: number; p99Ms: number }>[] = [];
for (const size of sizes) {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-lists-"));
  try {
    // The first start makes the accounts.
    await (await startService({ dataPath: folder })).stop();
    const filled = await fill(join(folder, "catalog.sqlite"), size);
    const service = await startService({ dataPath: folder });
    const client = await Client.login(service.baseUrl);
    const measured: Record<string, { p50Ms: number; p99Ms: number }> = {};
    for (const [name, ask] of Object.entries(questions)) measured[name] = await measure(client, (i) => ask(filled, i));
    figures.push(measured);
    await service.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const [small, large] = figures;
console.log("| question | p50 at 1,000 | p99 at 1,000 | p50 at 100,000 | p99 at 100,000 | p99 ratio |\n|---|--:|--:|--:|--:|--:|");
for (const name of Object.keys(questions)) {
  const [a, b] = [small![name]!, large![name]!];
  const ms = (value: number): string => value.toFixed(2);
  console.log(`| ${name} | ${ms(a.p50Ms)} | ${ms(a.p99Ms)} | ${ms(b.p50Ms)} | ${ms(b.p99Ms)} | ${(b.p99Ms / a.p99Ms).toFixed(2)} |`);
}
