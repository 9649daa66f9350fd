import type { Checkpoint } from "#model/checkpoint.ts";
import { createCodec } from "./codec.ts";
import type { Db } from "./schema.ts";
import type { CheckpointTable } from "./tables.ts";

const checkpoints = createCodec<Checkpoint>({
  id: "plain",
  projectId: "plain",
  vaultId: "plain",
  name: "plain",
  description: "plain",
  retentionDays: "plain",
  skipped: "json",
  createdAt: "plain",
});

export function createCheckpointTable(db: Db): CheckpointTable {
  return {
    async insert(checkpoint) {
      await db.write.insertInto("checkpoints").values(checkpoints.toRow(checkpoint)).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("checkpoints").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && checkpoints.fromRow(row);
    },
    async settle(id) {
      await db.write
        .deleteFrom("checkpoints")
        .where("id", "=", id)
        .where((is) => is.not(is.exists(is.selectFrom("backups").select("id").where("checkpoint_id", "=", id))))
        .execute();
      const first = await db.read
        .selectFrom("backups")
        .select("vault_id")
        .where("checkpoint_id", "=", id)
        .where("parent_id", "is", null)
        .orderBy("created_at")
        .orderBy("id")
        .limit(1)
        .executeTakeFirst();
      if (first === undefined) return;
      await db.write
        .updateTable("checkpoints")
        .set({ vault_id: first.vault_id })
        .where("id", "=", id)
        .where("vault_id", "<>", first.vault_id)
        .execute();
    },
  };
}
