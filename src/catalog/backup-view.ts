import { sql } from "kysely";
import type { Backup } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import { backups } from "./backup-row.ts";
import { replicationsOf } from "./replications.ts";
import type { Db } from "./schema.ts";
import type { BackupView } from "./tables.ts";

const columns = backups.columns.map((column) => `b.${column}`).join(", ");

/** Everything but the children, by index look-ups only: what it costs does not grow with the table. */
const selectView = `
  select ${columns}, v.enterprise_project_id,
    case when exists (select 1 from backups d where d.base_id = b.id and d.status <> 'error') then 1 else 0 end as has_dependents,
    (select cast(coalesce(sum(c.stored_bytes), 0) as bigint) from backups c where c.chain_id = b.chain_id) as chain_stored_bytes,
    case when exists (select 1 from resources r where r.id = b.resource_id) then 1 else 0 end as resource_exists,
    case when exists (select 1 from replication_records s where s.source_backup_id = b.id)
      or exists (select 1 from replication_records t where t.destination_backup_id = b.id) then 1 else 0 end as has_replications
  from backups b join vaults v on v.id = b.vault_id`;
const viewText = `${selectView} where b.id = ? and b.project_id = ?`;
/** Children are inserted in device order. */
const childrenText = `select ${columns} from backups b where b.parent_id = ? order by b.seq`;

export async function viewBackup(db: Db, projectId: ProjectId, id: Id): Promise<BackupView | undefined> {
  const found = db.hot(viewText, [id, projectId]);
  const row = (Array.isArray(found) ? found : await found)[0];
  if (row === undefined) return undefined;
  const children = row.resource_type === "OS::Nova::Server" ? await childrenOf(db, id) : [];
  return decode(row, children, row.has_replications === 1 ? await replicationsOf(db, id) : []);
}

/** Views kept at most: a few tens of megabytes. */
const maxKept = 20_000;

/**
 * {@link viewBackup} that keeps what it looked up until anybody commits anything, so that no answer is ever stale. Views are shared between callers:
 * they are to be read only. Where commits cannot be told, every call looks up.
 */
export function keepingViews(db: Db): (projectId: ProjectId, id: Id) => Promise<BackupView | undefined> {
  const kept = new Map<string, Promise<BackupView | undefined>>();
  let keptVersion: number | undefined;
  return (projectId, id) => {
    const version = db.version?.();
    if (version === undefined) return viewBackup(db, projectId, id);
    if (version !== keptVersion) kept.clear();
    keptVersion = version;
    const key = `${projectId}/${id}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const view = viewBackup(db, projectId, id);
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value!);
    kept.set(key, view);
    view.catch(() => kept.delete(key));
    return view;
  };
}

export async function childrenOf(db: Db, parentId: Id): Promise<Backup[]> {
  return (await db.hot(childrenText, [parentId])).map(backups.fromRow);
}

/** The views of some backups, in the order of their ids. */
export async function viewBackups(db: Db, ids: readonly Id[]): Promise<BackupView[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<Record<string, unknown>>`${sql.raw(selectView)} where b.id in (${sql.join([...ids])})`.execute(db.read);
  const parents = rows.filter((row) => row.resource_type === "OS::Nova::Server").map((row) => row.id as Id);
  const children = new Map<Id, Backup[]>(parents.map((id) => [id, []]));
  if (parents.length > 0) {
    const found = await db.read.selectFrom("backups").selectAll().where("parent_id", "in", parents).orderBy("seq").execute();
    for (const row of found) children.get(row.parent_id!)!.push(backups.fromRow(row));
  }
  const views = new Map<Id, BackupView>();
  for (const row of rows) {
    const id = row.id as Id;
    views.set(id, decode(row, children.get(id) ?? [], row.has_replications === 1 ? await replicationsOf(db, id) : []));
  }
  return ids.flatMap((id) => views.get(id) ?? []);
}

const decode = (row: Record<string, unknown>, children: Backup[], replications: ReplicationRecord[]): BackupView => ({
  backup: backups.fromRow(row),
  children,
  hasDependents: row.has_dependents === 1,
  chainStoredBytes: row.chain_stored_bytes as number,
  enterpriseProjectId: row.enterprise_project_id as string,
  resourceExists: row.resource_exists === 1,
  replications,
});
