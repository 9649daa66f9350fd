import { sql } from "kysely";
import type { SqlBool } from "kysely";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Resource, Server, ServerDisk, Volume } from "#model/resource.ts";
import { createCodec } from "./codec.ts";
import { contains, equals, newestFirst, selectPage } from "./paging.ts";
import type { Order } from "./paging.ts";
import type { Db, ResourceRow } from "./schema.ts";
import type { ResourceTable } from "./tables.ts";

const volumes = createCodec<Volume>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  type: "plain",
  name: "plain",
  description: "plain",
  sizeGib: "plain",
  availabilityZone: "plain",
  status: "plain",
  tags: "json",
  createdAt: "plain",
  updatedAt: "plain",
  locator: "plain",
  volumeType: "plain",
  bootable: "flag",
  encryption: "json",
  metadata: "json",
  sourceSnapshotId: "plain",
  sourceVolumeId: "plain",
  sourceBackupId: "plain",
});
const servers = createCodec<Omit<Server, "disks">>({
  id: "plain",
  projectId: "plain",
  userId: "plain",
  type: "plain",
  name: "plain",
  description: "plain",
  sizeGib: "plain",
  availabilityZone: "plain",
  status: "plain",
  tags: "json",
  createdAt: "plain",
  updatedAt: "plain",
  architecture: "plain",
});

const sortColumns = { created_at: "created_at", name: "name", status: "status", id: "id", size: "size_gib" } as const;

export function createResourceTable(db: Db): ResourceTable {
  const get = async (projectId: ProjectId, id: Id): Promise<Resource | undefined> => {
    const row = await db.read.selectFrom("resources").selectAll().where("id", "=", id).where("project_id", "=", projectId).executeTakeFirst();
    return row && (await decode(db, [row]))[0];
  };
  return {
    async insert(resource) {
      if (resource.type === "OS::Cinder::Volume") {
        await db.write.insertInto("resources").values(volumes.toRow(resource)).execute();
        return;
      }
      await db.atomically(async (inner) => {
        await inner.write.insertInto("resources").values(servers.toRow(resource)).execute();
        await writeDisks(inner, resource.id, resource.disks);
      });
    },
    get,
    async getVolume(projectId, id) {
      const resource = await get(projectId, id);
      return resource?.type === "OS::Cinder::Volume" ? resource : undefined;
    },
    async getServer(projectId, id) {
      const resource = await get(projectId, id);
      return resource?.type === "OS::Nova::Server" ? resource : undefined;
    },
    async findVolume(id) {
      const row = await db.read.selectFrom("resources").selectAll().where("id", "=", id).executeTakeFirst();
      const [resource] = row === undefined ? [] : await decode(db, [row]);
      return resource?.type === "OS::Cinder::Volume" ? resource : undefined;
    },
    async list(projectId, filter, page, sort) {
      const orders: readonly Order[] = sort === undefined ? newestFirst : [{ column: sortColumns[sort.key], direction: sort.direction }];
      const { items, count } = await selectPage<ResourceRow>(db.read, {
        table: "resources",
        visible: equals("project_id", filter.allProjects ? undefined : projectId),
        filter: [
          ...equals("type", filter.type),
          ...equals("id", filter.id),
          ...(filter.serverId === undefined ? [] : [sql<SqlBool>`id in (select volume_id from server_disks where server_id = ${filter.serverId})`]),
          ...equals("name", filter.name),
          ...contains("name", filter.nameContains),
          ...equals("status", filter.status),
          ...equals("availability_zone", filter.availabilityZone),
        ],
        orders,
        page,
      });
      return { items: await decode(db, items), count };
    },
    async update(id, patch) {
      await db.atomically(async (inner) => {
        const columns = { ...servers.toPatch(patch as Partial<Server>), ...volumes.toPatch(patch as Partial<Volume>) } as Partial<ResourceRow>;
        if (Object.keys(columns).length > 0) await inner.write.updateTable("resources").set(columns).where("id", "=", id).execute();
        const { disks } = patch as Partial<Server>;
        if (disks !== undefined) {
          await inner.write.deleteFrom("server_disks").where("server_id", "=", id).execute();
          await writeDisks(inner, id, disks);
        }
      });
    },
    async transition(id, from, to, now) {
      const result = await db.write
        .updateTable("resources")
        .set({ status: to, updated_at: now })
        .where("id", "=", id)
        .where("status", "in", [...from])
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async remove(id) {
      await db.write.deleteFrom("resources").where("id", "=", id).execute();
    },
    async unprotected(projectId, type) {
      const rows = await db.read
        .selectFrom("resources")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("type", "=", type)
        .where((is) => is("id", "not in", is.selectFrom("vault_resources").select("resource_id")))
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return decode(db, rows);
    },
    async serversOf(volumeId) {
      const rows = await db.read
        .selectFrom("resources")
        .selectAll()
        .where("id", "in", (query) => query.selectFrom("server_disks").select("server_id").where("volume_id", "=", volumeId))
        .orderBy("created_at")
        .orderBy("id")
        .execute();
      return (await decode(db, rows)).filter((resource): resource is Server => resource.type === "OS::Nova::Server");
    },
  };
}

async function writeDisks(db: Db, serverId: Id, disks: readonly ServerDisk[]): Promise<void> {
  if (disks.length === 0) return;
  const rows = disks.map((disk, position) => ({ server_id: serverId, position, volume_id: disk.volumeId, system_disk: Number(disk.systemDisk) }));
  await db.write.insertInto("server_disks").values(rows).execute();
}

async function decode(db: Db, rows: readonly ResourceRow[]): Promise<Resource[]> {
  const serverIds = rows.filter((row) => row.type === "OS::Nova::Server").map((row) => row.id);
  const disks = new Map<Id, ServerDisk[]>(serverIds.map((id) => [id, []]));
  if (serverIds.length > 0) {
    const found = await db.read
      .selectFrom("server_disks")
      .selectAll()
      .where("server_id", "in", serverIds)
      .orderBy(sql`server_id, position`)
      .execute();
    for (const disk of found) disks.get(disk.server_id)?.push({ volumeId: disk.volume_id, systemDisk: disk.system_disk === 1 });
  }
  return rows.map((row) => {
    const ofServer = disks.get(row.id);
    return ofServer === undefined ? volumes.fromRow(row) : { ...servers.fromRow(row), disks: ofServer };
  });
}
