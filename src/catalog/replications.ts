import { sql } from "kysely";
import type { Id } from "#model/ids.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import { createCodec } from "./codec.ts";
import type { Db } from "./schema.ts";
import type { ReplicationTable } from "./tables.ts";

const records = createCodec<ReplicationRecord>({
  id: "plain",
  status: "plain",
  sourceRegion: "plain",
  sourceProjectId: "plain",
  sourceVaultId: "plain",
  sourceBackupId: "plain",
  sourceBackupName: "plain",
  sourceCheckpointId: "plain",
  destinationRegion: "plain",
  destinationProjectId: "plain",
  destinationVaultId: "plain",
  destinationBackupId: "plain",
  destinationCheckpointId: "plain",
  progress: "plain",
  failCode: "plain",
  failReason: "plain",
  autoTrigger: "flag",
  createdAt: "plain",
  updatedAt: "plain",
});

const columns = records.columns.join(", ");
/** In the order in which they were asked for. */
const order = "order by created_at, id";
const byBackupText = `select ${columns} from replication_records where source_backup_id = ?
  union select ${columns} from replication_records where destination_backup_id = ? ${order}`;

/** Copies made of the backup, and the copying that made it. */
export async function replicationsOf(db: Db, backupId: Id): Promise<ReplicationRecord[]> {
  return (await db.hot(byBackupText, [backupId, backupId])).map(records.fromRow);
}

export function createReplicationTable(db: Db): ReplicationTable {
  return {
    async insert(record) {
      await db.write.insertInto("replication_records").values(records.toRow(record)).execute();
    },
    async get(id) {
      const row = await db.read.selectFrom("replication_records").selectAll().where("id", "=", id).executeTakeFirst();
      return row && records.fromRow(row);
    },
    ofBackup: (backupId) => replicationsOf(db, backupId),
    async ofProject(projectId) {
      const rows = await db.read
        .selectFrom("replication_records")
        .selectAll()
        .where((eb) => eb.or([eb("source_project_id", "=", projectId), eb("destination_project_id", "=", projectId)]))
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return rows.map(records.fromRow);
    },
    async openOfVault(vaultId) {
      const rows = await db.read
        .selectFrom("replication_records")
        .selectAll()
        .where((eb) => eb.or([eb("source_vault_id", "=", vaultId), eb("destination_vault_id", "=", vaultId)]))
        .where("status", "in", ["waiting_replicate", "replicating"])
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return rows.map(records.fromRow);
    },
    async liveCopies({ sourceRegion, sourceProjectId, destinationProjectId, backupIds }) {
      if (backupIds.length === 0) return [];
      const rows = await db.read
        .selectFrom("replication_records as r")
        .innerJoin("backups as b", "b.id", "r.destination_backup_id")
        .select("r.source_backup_id as id")
        .distinct()
        .where("r.source_backup_id", "in", [...backupIds])
        .where("r.source_region", "=", sourceRegion)
        .where("r.source_project_id", "=", sourceProjectId)
        .where("r.destination_project_id", "=", destinationProjectId)
        .where("b.status", "<>", "error")
        .execute();
      return rows.map((row) => row.id);
    },
    async forget(backupId) {
      await sql`
        delete from replication_records
        where (source_backup_id = ${backupId} or destination_backup_id = ${backupId}) and status not in ('waiting_replicate', 'replicating')
          and not exists (select 1 from backups b where b.id = source_backup_id or b.id = destination_backup_id)`.execute(db.write);
    },
    async update(id, patch) {
      const row = records.toPatch(patch);
      if (Object.keys(row).length > 0) await db.write.updateTable("replication_records").set(row).where("id", "=", id).execute();
    },
  };
}
