import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Caller } from "#model/caller.ts";
import type { Tag } from "#model/vault.ts";
import { silentLog } from "#platform/log.ts";
import { createVolumeBackup } from "../backups/createVolumeBackup.ts";
import { addFileVolume } from "../resources/addFileVolume.ts";
import { addServer } from "../resources/addServer.ts";
import { updateResource } from "../resources/updateResource.ts";
import type { CreateVaultInput } from "../vaults/createVault.ts";
import { removeVaultResources } from "../vaults/removeVaultResources.ts";
import { showVault } from "../vaults/showVault.ts";
import { updateVault } from "../vaults/updateVault.ts";
import { createVolume } from "../volumes/createVolume.ts";
import { setVolumeTags } from "../volumes/setVolumeTags.ts";
import { backgroundIdle } from "./background.ts";
import { disk, newVault, refused } from "../../../test/support/vaults.ts";
import { makeVolume, makeWorld, manualClock, noise, writeSource } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";

let world: World;
const warnings: string[] = [];
before(async () => {
  world = await makeWorld({ clock: manualClock() });
  world.context.log = { ...silentLog, warn: (_, message) => void warnings.push(message) };
});
after(() => world.close());

const tag = (key: string, value: string | null): Tag => ({ key, value });
const vaultFor = async (caller: Caller, overrides: Partial<CreateVaultInput> = {}) =>
  (await newVault(world, caller, { autoBind: true, ...overrides })).vault.id;
const volume = (caller: Caller, name: string, tags: Tag[] = [], sizeGib = 1) => createVolume(world.context, caller, { name, sizeGib, tags });
const names = async (caller: Caller, vaultId: string) =>
  (await showVault(world.context, caller, { vaultId })).resources.map((resource) => resource.name);

test("vault first: a new resource is bound as it appears, by any tag of the rules", async () => {
  const caller = await world.newCaller();
  const prod = await vaultFor(caller, { bindRules: { tags: [tag("env", "prod"), tag("critical", null)] } });
  const off = await vaultFor(caller, { autoBind: false });
  await volume(caller, "plain");
  await volume(caller, "other", [tag("env", "dev")]);
  await volume(caller, "prod", [tag("team", "a"), tag("env", "prod")]);
  await volume(caller, "critical", [tag("critical", "")]);
  const path = writeSource(world, `${caller.projectId}.raw`, noise(1000, 1));
  await addFileVolume(world.context, caller, { name: "file", path, tags: [tag("env", "prod")] });
  assert.deepEqual(await names(caller, prod), ["prod", "critical", "file"]);
  assert.deepEqual(await names(caller, off), []);
  const everything = await vaultFor(caller);
  assert.deepEqual(await names(caller, everything), ["plain", "other"], "no rule takes all that is left, at once");
  await volume(caller, "later");
  await volume(caller, "later prod", [tag("env", "prod")]);
  assert.deepEqual(await names(caller, everything), ["plain", "other", "later"]);
  assert.deepEqual((await names(caller, prod)).at(-1), "later prod", "a rule that names a tag comes before none");
});

test("resource first: a new vault, new rules and more room bind what is there, the oldest first", async () => {
  const caller = await world.newCaller();
  const stranger = await world.newCaller();
  await volume(stranger, "foreign");
  for (const name of ["a", "b", "c"]) await volume(caller, name, [tag("name", name)]);
  const rules = { tags: [tag("name", "b"), tag("name", "c")] };
  const vaultId = await vaultFor(caller, { bindRules: rules, sizeGib: 1 });
  assert.deepEqual(await names(caller, vaultId), ["b"], "there is room for one");
  await updateVault(world.context, caller, { vaultId, name: "renamed" });
  assert.deepEqual(await names(caller, vaultId), ["b"]);
  await updateVault(world.context, caller, { vaultId, sizeGib: 10 });
  assert.deepEqual(await names(caller, vaultId), ["b", "c"]);
  await updateVault(world.context, caller, { vaultId, bindRules: { tags: [] } });
  assert.deepEqual(await names(caller, vaultId), ["b", "c", "a"]);
  const second = await vaultFor(caller, { autoBind: false });
  const [b] = (await showVault(world.context, caller, { vaultId })).resources;
  await removeVaultResources(world.context, caller, { vaultId, resourceIds: [b!.id] });
  await world.runAll();
  assert.deepEqual(await names(caller, vaultId), ["c", "a"], "what was taken out stays out until something new is said");
  await updateVault(world.context, caller, { vaultId: second, autoBind: true });
  assert.deepEqual(await names(caller, vaultId), ["c", "a", "b"], "the oldest vault that fits");
});

test("a resource that gets tags is bound, one that loses them stays", async () => {
  const caller = await world.newCaller();
  const vaultId = await vaultFor(caller, { bindRules: { tags: [tag("env", "prod")] } });
  const [a, b] = [await volume(caller, "a"), await volume(caller, "b")];
  await setVolumeTags(world.context, caller, { volumeId: a.id, tags: [tag("env", "prod")] });
  await updateResource(world.context, caller, { resourceId: b.id, name: "b2", tags: [tag("env", "prod")] });
  assert.deepEqual(await names(caller, vaultId), ["a", "b2"]);
  assert.deepEqual((await setVolumeTags(world.context, caller, { volumeId: a.id, tags: [] })).tags, []);
  assert.deepEqual(await names(caller, vaultId), ["a", "b2"]);
  await refused(setVolumeTags(world.context, caller, { volumeId: a.id, tags: [tag("a=b", null)] }), "invalidRequest");
  const many = Array.from({ length: 21 }, (_, i) => tag(`k${i}`, null));
  await refused(updateResource(world.context, caller, { resourceId: a.id, tags: many }), "invalidRequest");
  await refused(setVolumeTags(world.context, await world.newCaller(), { volumeId: a.id, tags: [] }), "volumeNotFound");
});

test("only where there is room: capacity and number, from the oldest vault to the newest", async () => {
  const caller = await world.newCaller();
  const [first, second] = [await vaultFor(caller, { sizeGib: 2 }), await vaultFor(caller, { sizeGib: 4 })];
  for (const [name, sizeGib] of [
    ["a", 1],
    ["b", 2],
    ["c", 1],
    ["d", 3],
  ] as const)
    await volume(caller, name, [], sizeGib);
  assert.deepEqual([await names(caller, first), await names(caller, second)], [["a", "c"], ["b"]]);
  assert.ok(warnings.includes("no vault has room for a resource"));
});

test("a server is bound to a vault for servers; its disks are protected with it only", async () => {
  const caller = await world.newCaller();
  const disks = [await volume(caller, "root"), await volume(caller, "data")];
  const servers = await vaultFor(caller, { objectType: "server", bindRules: { tags: [tag("env", "prod")] } });
  const server = await addServer(world.context, caller, {
    name: "web",
    disks: disks.map(({ id }) => ({ volumeId: id, systemDisk: false })),
    tags: [tag("env", "prod")],
  });
  assert.deepEqual(await names(caller, servers), ["web"]);
  const all = await vaultFor(caller);
  assert.deepEqual(await names(caller, all), []);
  await updateResource(world.context, caller, { resourceId: server.id, disks: [{ volumeId: disks[0]!.id, systemDisk: false }] });
  await setVolumeTags(world.context, caller, { volumeId: disks[1]!.id, tags: [] });
  assert.deepEqual(await names(caller, all), ["data"], "a disk that left the server is one by itself");
});

test("a volume made of another one, or of a backup, is bound when its bytes are there", async () => {
  const caller = await world.newCaller();
  const source = await makeVolume(world, caller, "source");
  const { backup } = await createVolumeBackup(world.context, caller, { volumeId: source.id, incremental: false });
  await world.runAll();
  const vaultId = await vaultFor(caller, { autoBind: false, resources: [disk(source)] });
  const any = await vaultFor(caller);
  await createVolume(world.context, caller, { name: "copy", sourceVolumeId: source.id });
  await createVolume(world.context, caller, { name: "restored", backupId: backup.id });
  assert.deepEqual(await names(caller, any), []);
  await backgroundIdle(world.context);
  assert.deepEqual(await names(caller, any), ["copy"]);
  await world.runAll();
  assert.deepEqual(await names(caller, any), ["copy", "restored"]);
  assert.deepEqual(await names(caller, vaultId), ["source"]);
});
