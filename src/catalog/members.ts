import type { Member } from "#model/member.ts";
import { createCodec } from "./codec.ts";
import { equals, newestFirst, selectPage } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { MemberTable } from "./tables.ts";

const members = createCodec<Member>({
  id: "plain",
  backupId: "plain",
  projectId: "plain",
  destProjectId: "plain",
  status: "plain",
  vaultId: "plain",
  sizeBytes: "plain",
  createdAt: "plain",
  updatedAt: "plain",
});

export function createMemberTable(db: Db): MemberTable {
  return {
    async insert(member) {
      await db.write.insertInto("members").values(members.toRow(member)).execute();
    },
    async get(backupId, destProjectId) {
      const row = await db.read
        .selectFrom("members")
        .selectAll()
        .where("backup_id", "=", backupId)
        .where("dest_project_id", "=", destProjectId)
        .executeTakeFirst();
      return row && members.fromRow(row);
    },
    async list(backupId, filter, page, sort) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "members",
        visible: equals("backup_id", backupId),
        filter: [...equals("dest_project_id", filter.destProjectId), ...equals("status", filter.status), ...equals("vault_id", filter.vaultId)],
        orders: sort !== undefined && sort.length > 0 ? sort.map(({ key, direction }) => ({ column: key, direction, ifNull: 0 })) : newestFirst,
        page,
      });
      return { items: items.map(members.fromRow), count };
    },
    async update(id, patch) {
      const columns = members.toPatch(patch);
      if (Object.keys(columns).length > 0) await db.write.updateTable("members").set(columns).where("id", "=", id).execute();
    },
    async remove(id) {
      await db.write.deleteFrom("members").where("id", "=", id).execute();
    },
    async accepted(destProjectId, backupId) {
      const row = await db.read
        .selectFrom("backups as b")
        .innerJoin("members as m", (join) => join.on((on) => on("m.backup_id", "=", on.fn.coalesce("b.parent_id", "b.id"))))
        .selectAll("m")
        .where("b.id", "=", backupId)
        .where("m.dest_project_id", "=", destProjectId)
        .where("m.status", "=", "accepted")
        .executeTakeFirst();
      return row && members.fromRow(row);
    },
    async received(destProjectId, backupIds) {
      if (backupIds.length === 0) return [];
      const rows = await db.read
        .selectFrom("members")
        .selectAll()
        .where("dest_project_id", "=", destProjectId)
        .where("backup_id", "in", [...backupIds])
        .execute();
      return rows.map(members.fromRow);
    },
    async inVault(vaultId) {
      const rows = await db.read.selectFrom("members").selectAll().where("vault_id", "=", vaultId).orderBy("id").execute();
      return rows.map(members.fromRow);
    },
    async ofOwner(projectId) {
      const rows = await db.read.selectFrom("members").selectAll().where("project_id", "=", projectId).orderBy("created_at").orderBy("id").execute();
      return rows.map(members.fromRow);
    },
  };
}
