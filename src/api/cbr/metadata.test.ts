import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import { listBackups } from "#services/backups/listBackups.ts";
import { showMetadata } from "#services/backups/showMetadata.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import { addServer } from "#services/resources/addServer.ts";
import { updateResource } from "#services/resources/updateResource.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { makeVolume, makeWorld, type World } from "../../../test/support/world.ts";
import { renderMetadata } from "./render-metadata.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

const kinds = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 100, name: "v" } as const;

async function backedUp(caller: Caller, resource: { id: string; type: "OS::Nova::Server" | "OS::Cinder::Volume" }): Promise<string> {
  const objectType = resource.type === "OS::Nova::Server" ? "server" : "disk";
  const { vault } = await createVault(world.context, caller, { ...kinds, objectType, resources: [resource] });
  const { checkpoint } = await createCheckpoint(world.context, caller, { vaultId: vault.id });
  await world.runAll();
  const filter = { checkpointId: checkpoint.id, parentId: null };
  const { items } = await listBackups(world.context, caller, { filter, page: { limit: 1, offset: 0 } });
  return items[0]!.backup.id;
}

test("a server's metadata are what was registered when it was backed up, not what became of it", async () => {
  const caller = await world.newCaller();
  const [root, data] = [await makeVolume(world, caller, "root", 3), await makeVolume(world, caller, "data", 5)];
  const disks = [
    { volumeId: root.id, systemDisk: true },
    { volumeId: data.id, systemDisk: false },
  ];
  const server = await addServer(world.context, caller, { name: "web", architecture: "x86_64", disks });
  const backupId = await backedUp(caller, server);
  await updateResource(world.context, caller, { resourceId: server.id, name: "renamed", disks: disks.slice(0, 1) });
  const told = renderMetadata(await showMetadata(world.context, caller, { backupId }), "http://cbr.test");
  assert.deepEqual(Object.keys(told).toSorted(), ["backup_id", "backups", "flavor", "floatingips", "interface", "ports", "server", "volumes"]);
  assert.equal(told.backup_id, backupId);
  const shown = JSON.parse(told.server).server;
  assert.deepEqual([shown.id, shown.name, shown.status, shown.metadata], [server.id, "web", "ACTIVE", { architecture: "x86_64" }]);
  assert.deepEqual(shown["os-extended-volumes:volumes_attached"], [
    { id: root.id, bootIndex: 0 },
    { id: data.id, bootIndex: null },
  ]);
  const volumes = told.volumes.map((text) => JSON.parse(text).volume);
  assert.deepEqual(
    volumes.map(({ id, name, size }) => [id, name, size]),
    [
      [root.id, "root", 1],
      [data.id, "data", 1],
    ],
  );
  assert.equal(volumes[0].attachments[0].server_id, server.id);
  const backup = JSON.parse(told.backups);
  assert.deepEqual([backup.id, backup.resource_name, backup.children], [backupId, "web", []]);
  assert.deepEqual(
    [JSON.parse(told.flavor), JSON.parse(told.interface), told.ports, told.floatingips],
    [{ flavor: null }, { interfaceAttachments: [] }, [], []],
  );
});

test("of a disk there is the disk; what is not complete, not readable or not the caller's is refused", async () => {
  const { context } = world;
  const caller = await world.newCaller();
  const disk = await makeVolume(world, caller, "single");
  const backupId = await backedUp(caller, disk);
  const { server, volumes } = await showMetadata(context, caller, { backupId });
  assert.deepEqual([server, volumes.map(({ id }) => id)], [null, [disk.id]]);
  const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;
  await assert.rejects(showMetadata(context, await world.newCaller(), { backupId }), code("backupNotFound"));
  await world.catalog.backups.update(backupId, { status: "error" });
  await assert.rejects(showMetadata(context, caller, { backupId }), code("metadataNotReadable"));
  await world.catalog.backups.update(backupId, { status: "available" });
  await world.engine.deleteRoot(caller.projectId, backupId);
  await assert.rejects(showMetadata(context, caller, { backupId }), code("metadataNotReadable"));
});
