import type { Snapshot } from "#model/resource.ts";
import { createCodec } from "./codec.ts";
import { equals, newestFirst, selectPage } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { SnapshotTable } from "./tables.ts";

const snapshots = createCodec<Snapshot>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  volumeId: "plain",
  name: "plain",
  description: "plain",
  status: "plain",
  sizeGib: "plain",
  metadata: "json",
  locator: "plain",
  method: "plain",
  createdAt: "plain",
  updatedAt: "plain",
});

export function createSnapshotTable(db: Db): SnapshotTable {
  return {
    async insert(snapshot) {
      await db.write.insertInto("snapshots").values(snapshots.toRow(snapshot)).execute();
    },
    async get(projectId, id) {
      const row = await db.read.selectFrom("snapshots").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
      return row && snapshots.fromRow(row);
    },
    async list(projectId, filter, page) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "snapshots",
        visible: equals("project_id", filter.allProjects ? undefined : projectId),
        filter: [...equals("volume_id", filter.volumeId), ...equals("name", filter.name), ...equals("status", filter.status)],
        orders: newestFirst,
        page,
      });
      return { items: items.map(snapshots.fromRow), count };
    },
    async update(id, patch) {
      const columns = snapshots.toPatch(patch);
      if (Object.keys(columns).length > 0) await db.write.updateTable("snapshots").set(columns).where("id", "=", id).execute();
    },
    async remove(id) {
      await db.write.deleteFrom("snapshots").where("id", "=", id).execute();
    },
  };
}
