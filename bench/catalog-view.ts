/**
 * What `backups.view` costs per call, at growing table sizes: `node bench/catalog-view.ts [10000 100000 …]`.
 * Chains of 30 backups; every id is asked for in turn, so that the pages touched are spread over the file. 10000000 takes 15 GB and some minutes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCatalog } from "#catalog/open.ts";
import { sampleBackup, sampleCheckpoint, sampleVault, sampleVolume } from "#catalog/samples.ts";

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000];
const chainLength = 30;
const calls = 200_000;

/** Backups that go through the catalog; more are copies of them, made in the database with other ids. */
const originals = 9_990;
type OpenCatalog = Awaited<ReturnType<typeof openCatalog>>;

async function fill(catalog: OpenCatalog, count: number): Promise<{ projectId: string; ids: string[] }> {
  const vault = sampleVault();
  const checkpoint = sampleCheckpoint({ vaultId: vault.id });
  const volume = sampleVolume();
  const ids: string[] = [];
  await catalog.transaction(async (tables) => {
    await tables.vaults.insert(vault);
    await tables.checkpoints.insert(checkpoint);
    await tables.resources.insert(volume);
    let base: string | null = null;
    let chain = "";
    for (let i = 0; i < count; i++) {
      const createdAt = 1_700_000_000_000_000 + i;
      const backup = sampleBackup({ vaultId: vault.id, checkpointId: checkpoint.id, resourceId: volume.id, baseId: base, createdAt });
      if (i % chainLength === 0) chain = backup.id;
      await tables.backups.insert({ ...backup, baseId: backup.id === chain ? null : base, chainId: chain });
      base = backup.id;
      ids.push(backup.id);
    }
  });
  return { projectId: vault.projectId, ids };
}

const idOfCopy = (id: string, copy: number): string => copy.toString(16).padStart(8, "0") + id.slice(8);

/** Each copy keeps its chains; the sums of the rows are made anew when the catalog is opened again. */
function multiply(path: string, copies: number): void {
  const db = new DatabaseSync(path);
  db.exec("pragma synchronous = off; pragma foreign_keys = off");
  const columns = (db.prepare("select name from pragma_table_info('backups') where name <> 'seq'").all() as { name: string }[]).map(
    ({ name }) => name,
  );
  const indexes = db.prepare("select name, sql from sqlite_schema where type = 'index' and tbl_name = 'backups' and sql is not null").all() as {
    name: string;
    sql: string;
  }[];
  for (const { name } of indexes) db.exec(`drop index ${name}`);
  const values = columns.map((name) => (["id", "base_id", "chain_id"].includes(name) ? `? || substr(${name}, 9)` : name));
  const insert = db.prepare(`insert into backups (${columns.join()}) select ${values.join()} from backups where seq <= ${originals}`);
  db.exec("begin");
  for (let copy = 1; copy < copies; copy++) {
    const prefix = copy.toString(16).padStart(8, "0");
    insert.run(prefix, prefix, prefix);
  }
  db.exec("delete from row_sums");
  db.exec("commit");
  for (const { sql } of indexes) db.exec(sql);
  db.close();
}

for (const size of sizes) {
  const folder = mkdtempSync(join(tmpdir(), "catalog-view-"));
  const path = join(folder, "catalog.db");
  let catalog = await openCatalog({ path });
  try {
    const { projectId, ids: first } = await fill(catalog, Math.min(size, originals));
    const copies = Math.ceil(size / originals);
    const ids = Array.from({ length: copies }, (_, copy) => (copy === 0 ? first : first.map((id) => idOfCopy(id, copy)))).flat();
    if (copies > 1) {
      await catalog.close();
      multiply(path, copies);
      const start = performance.now();
      catalog = await openCatalog({ path });
      console.log(`${ids.length} backups: opened and summed in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
    const stride = 7919;
    const measure = async (count: number): Promise<number> => {
      const start = performance.now();
      let seen = 0;
      for (let i = 0; i < count; i++) {
        const view = await catalog.backups.view(projectId, ids[(i * stride) % ids.length]!);
        if (view?.backup.statistics !== null) seen++;
      }
      if (seen !== count) throw new Error(`only ${seen} of ${count} views were found`);
      return ((performance.now() - start) * 1000) / count;
    };
    await measure(20_000);
    console.log(`${ids.length} backups: ${(await measure(calls)).toFixed(1)} µs per view`);
  } finally {
    await catalog.close();
    rmSync(folder, { recursive: true });
  }
}
