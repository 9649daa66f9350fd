import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCatalog } from "#catalog/open.ts";
import { sampleOrganizationPolicy } from "#catalog/samples.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { systemRandom } from "#platform/random.ts";
import { silentLog } from "#platform/log.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { Engine } from "#repository/engine-types.ts";
import { listBackups } from "../backups/listBackups.ts";
import { updateBackup } from "../backups/updateBackup.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { createWebhook } from "../events/createWebhook.ts";
import { addMember } from "../members/addMember.ts";
import { updateMemberStatus } from "../members/updateMemberStatus.ts";
import { associateVaultPolicy } from "../policies/associateVaultPolicy.ts";
import { createPolicy } from "../policies/createPolicy.ts";
import { addServer } from "../resources/addServer.ts";
import { createVault } from "../vaults/createVault.ts";
import { makeVolume, makeWorld } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { createStateKeeper } from "./keepStates.ts";
import { rebuildCatalog } from "./rebuildCatalog.ts";

const kind = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 100 } as const;

/** Two backups of a disk in a vault with a tag; one of a server with two disks, which another project has accepted into a vault of its own. */
async function story(world: World): Promise<Caller> {
  const { context } = world;
  const caller = await world.newCaller();
  const [disk, root, data] = [
    await makeVolume(world, caller, "disk"),
    await makeVolume(world, caller, "root", 3),
    await makeVolume(world, caller, "data", 5),
  ];
  const tags = [{ key: "team", value: "storage" }];
  const resources = [{ id: disk.id, type: disk.type }];
  const { vault } = await createVault(context, caller, { ...kind, name: "v", objectType: "disk", resources, tags });
  for (let n = 0; n < 2; n++) {
    await createCheckpoint(context, caller, { vaultId: vault.id });
    await world.runAll();
  }
  await applyPolicies(world, caller, vault.id);
  const disks = [
    { volumeId: root.id, systemDisk: true },
    { volumeId: data.id, systemDisk: false },
  ];
  const server = await addServer(context, caller, { name: "web", disks });
  const servers = await createVault(context, caller, {
    ...kind,
    name: "s",
    objectType: "server",
    resources: [{ id: server.id, type: server.type }],
  });
  await createCheckpoint(context, caller, { vaultId: servers.vault.id });
  await world.runAll();
  const receiver = await world.newCaller();
  const kept = await createVault(context, receiver, { ...kind, name: "kept", objectType: "server", resources: [] });
  const [whole] = (await world.catalog.backups.list(caller.projectId, { resourceId: server.id }, { limit: 1, offset: 0 })).items;
  const backupId = whole!.backup.id;
  await createWebhook(context, caller, { url: "https://hooks.example/x", events: ["task.*"], secret: "0123456789abcdef" });
  await addMember(context, caller, { backupId, projectIds: [receiver.projectId] });
  await updateMemberStatus(context, receiver, { backupId, memberId: receiver.projectId, status: "accepted", vaultId: kept.vault.id });
  return caller;
}

/** Gives the newest two backups, one of them the server's, names that only the state tells. */
async function rename({ context }: World, caller: Caller): Promise<void> {
  const { items } = await listBackups(context, caller, { filter: { parentId: null }, page: { limit: 2, offset: 0 } });
  for (const [index, { backup }] of items.entries()) await updateBackup(context, caller, { backupId: backup.id, name: `renamed-${index}` });
}

/** A policy that is applied and due once a day, one that is not applied, and one of the organization. */
async function applyPolicies({ context, catalog }: World, caller: Caller, vaultId: string): Promise<void> {
  const schedule = { patterns: ["FREQ=DAILY;INTERVAL=3;BYHOUR=2;BYMINUTE=15"], timezone: "Europe/Berlin" };
  const definition = { maxBackups: 3, dayBackups: 2, timezone: "UTC+01:00" };
  const { policy } = await createPolicy(context, caller, { name: "applied", operationType: "backup", definition, schedule });
  await associateVaultPolicy(context, caller, { vaultId, policyIds: [policy.id] });
  await createPolicy(context, caller, { name: "idle", operationType: "replication", enabled: false, definition: {}, schedule });
  await catalog.organizationPolicies.insert(sampleOrganizationPolicy({ domainId: "default", schedule }));
}

/** What a rebuild has to bring back. Tasks are lost. */
async function dump({ projectId }: Caller, catalog: Catalog): Promise<unknown> {
  const page = { limit: 1000, offset: 0 };
  const backups = (await catalog.backups.list(projectId, {}, page)).items;
  const vaults = (await catalog.vaults.list(projectId, {}, page)).items;
  const checkpoints = await Promise.all(backups.map(({ backup }) => catalog.checkpoints.get(projectId, backup.checkpointId)));
  const bindings = await Promise.all(vaults.map(({ id }) => catalog.vaults.resourcesOf(id)));
  const project = await catalog.identity.getProject(projectId);
  const members = await catalog.members.ofOwner(projectId);
  const keptIn = await Promise.all(members.map(({ destProjectId, vaultId }) => catalog.vaults.get(destProjectId, vaultId!)));
  const webhooks = await catalog.events.listWebhooks(projectId);
  const policies = await catalog.policies.list(projectId, {});
  const applied = await Promise.all(vaults.map(({ id }) => catalog.policies.ofVault(id)));
  const organization = (await catalog.organizationPolicies.list({}, page)).items;
  const sinceFull = await Promise.all(bindings.flat().map(({ vaultId, resourceId }) => catalog.policies.sinceFull(vaultId, resourceId)));
  const ofPolicies = { policies, applied, organization, sinceFull };
  return {
    ...ofPolicies,
    webhooks,
    members,
    keptIn,
    backups,
    vaults,
    checkpoints,
    bindings,
    resources: (await catalog.resources.list(projectId, {}, page)).items,
    project,
  };
}

/** The same engine, that fails at the n-th reading; the same catalog, that fails before or after its n-th transaction. */
class Interruption extends Error {}
function counted(n: number) {
  let at = 0;
  return (): void => {
    if (++at === n) throw new Interruption();
  };
}

test("wherever a rebuild is interrupted, the next one ends it, and the catalog is what it was", async () => {
  const world = await makeWorld();
  const folder = mkdtempSync(join(tmpdir(), "opencbr-rebuild-"));
  const caller = await story(world);
  const sealed = (await dump(caller, world.catalog)) as Record<string, any>;
  await rename(world, caller);
  await createStateKeeper({ ...world.context, log: silentLog }).keep();
  const before = await dump(caller, world.catalog);
  const { volumesPath } = world.context.settings;
  const common = { random: systemRandom, volumesPath };
  let interrupted = 0;
  for (let n = 1; ; n++) {
    const path = join(folder, `${n}.sqlite`);
    const first = await openCatalog({ path });
    const step = counted(n);
    const engine: Pick<Engine, "listTenants" | "listRoots" | "readRoot" | "readState"> = {
      listTenants: () => world.engine.listTenants(),
      listRoots: (tenant) => world.engine.listRoots(tenant),
      async readRoot(tenant, id) {
        step();
        return world.engine.readRoot(tenant, id);
      },
      readState: (tenant) => world.engine.readState(tenant),
    };
    const catalog: Catalog = {
      ...first,
      async transaction(work) {
        step();
        const result = await first.transaction(work);
        step();
        return result;
      },
    };
    const ended = await rebuildCatalog({ ...common, catalog, engine }).then(
      () => true,
      (error: unknown) => {
        assert.ok(error instanceof Interruption, String(error));
        return false;
      },
    );
    await first.close();
    const second = await openCatalog({ path });
    const report = await rebuildCatalog({ ...common, catalog: second, engine: world.engine });
    assert.deepEqual({ ...report, unreadable: [] }, { projects: 2, backups: 4, unreadable: [] });
    assert.deepEqual(await dump(caller, second), before, `interrupted at step ${n}`);
    assert.equal(await second.meta.get("nodeId"), world.context.settings.nodeId);
    await second.close();
    if (ended) break;
    interrupted++;
  }
  assert.ok(interrupted >= 10, `${interrupted} interruptions`);

  // Without the state: what the documents of the root objects say.
  const alone = await openCatalog({ path: ":memory:" });
  await rebuildCatalog({ ...common, catalog: alone, engine: stateless(world.engine) });
  const fromDocuments = (await dump(caller, alone)) as Record<string, any>;
  const expected: Record<string, any> = { ...(before as object), backups: sealed["backups"] };
  for (const part of ["backups", "vaults", "checkpoints", "bindings"]) assert.deepEqual(fromDocuments[part], expected[part], part);
  assert.deepEqual(
    fromDocuments["resources"].map((resource: { id: string }) => resource.id),
    expected["resources"].map((resource: { id: string }) => resource.id),
  );
  assert.equal(fromDocuments["project"].id, caller.projectId);
  assert.deepEqual(fromDocuments["members"], [], "no root object tells with whom a backup is shared: nobody reads it then");
  await alone.close();
  rmSync(folder, { recursive: true });
  await world.close();
});

const stateless = (engine: Engine): Pick<Engine, "listTenants" | "listRoots" | "readRoot" | "readState"> => ({
  listTenants: () => engine.listTenants(),
  listRoots: (tenant) => engine.listRoots(tenant),
  readRoot: (tenant, id) => engine.readRoot(tenant, id),
  readState: () => Promise.resolve(undefined),
});

test("a share whose receiver's vault does not come back waits for an answer; an older state has no shares", async () => {
  const world = await makeWorld();
  const caller = await story(world);
  await createStateKeeper({ ...world.context, log: silentLog }).keep();
  const { volumesPath } = world.context.settings;
  const rebuilt = async (change: (state: Record<string, unknown>) => object) => {
    const catalog = await openCatalog({ path: ":memory:" });
    const engine = {
      ...stateless(world.engine),
      async readState(tenant: string) {
        const state = await world.engine.readState(tenant);
        return state && { ...state, document: change(state.document as Record<string, unknown>) };
      },
    };
    await rebuildCatalog({ catalog, engine, random: systemRandom, volumesPath });
    const members = await catalog.members.ofOwner(caller.projectId);
    await catalog.close();
    return members.map(({ status, vaultId }) => [status, vaultId]);
  };
  assert.deepEqual(await rebuilt((state) => (state["resources"]?.toString() === "" ? { ...state, vaults: [] } : state)), [["pending", null]]);
  assert.deepEqual(await rebuilt((state) => ({ ...state, members: undefined })), []);
  await world.close();
});

test("what cannot be read is told, one by one, and the rest is rebuilt; a store that fails ends it", async () => {
  const world = await makeWorld();
  const caller = await story(world);
  const roots = await world.engine.listRoots(caller.projectId);
  const [damaged = "", foreign = "", empty = ""] = roots;
  const engine = {
    ...stateless(world.engine),
    async readRoot(tenant: string, id: string) {
      if (id === damaged) throw new RepositoryError("corruptRoot", "it does not authenticate");
      const root = (await world.engine.readRoot(tenant, id))!;
      if (id === foreign) return { ...root, document: { backup: { id: "x" } } };
      return id === empty ? { ...root, document: null } : root;
    },
  };
  const catalog = await openCatalog({ path: ":memory:" });
  const report = await rebuildCatalog({ catalog, engine, random: systemRandom, volumesPath: world.context.settings.volumesPath });
  assert.deepEqual(
    report.unreadable.map(({ backupId, reason }) => [backupId, reason]),
    [
      [damaged, "it does not authenticate"],
      [foreign, "its document is another backup's"],
      [empty, "its root object holds no backup document"],
    ],
  );
  assert.equal(report.backups, 1);
  const failing = {
    ...engine,
    readRoot: () => Promise.reject(new RepositoryError("storeUnavailable", "the store does not answer")),
  };
  const other = await openCatalog({ path: ":memory:" });
  await assert.rejects(rebuildCatalog({ catalog: other, engine: failing, random: systemRandom, volumesPath: "/nowhere" }), /does not answer/);
  await catalog.close();
  await other.close();
  await world.close();
});

test("the state of a project is written when it changed, and only then", async () => {
  const world = await makeWorld();
  const caller = await world.newCaller();
  let written = 0;
  const engine: Engine = {
    ...world.engine,
    writeState(...state) {
      written++;
      return world.engine.writeState(...state);
    },
  };
  const keeper = createStateKeeper({ ...world.context, engine });
  await keeper.keep();
  assert.equal(written, 0, "a project with nothing in it");
  const { vault } = await createVault(world.context, caller, { ...kind, name: "v", objectType: "disk", resources: [] });
  await keeper.keep();
  await keeper.keep();
  assert.equal(written, 1);
  await world.catalog.meta.set("something", "else");
  await keeper.keep();
  assert.equal(written, 1);
  await createStateKeeper({ ...world.context, engine }).keep();
  assert.equal(written, 1, "another keeper finds it in the store");
  await world.catalog.vaults.update(vault.id, { name: "renamed" });
  await keeper.keep();
  assert.equal(written, 2);
  const state = await world.engine.readState(caller.projectId);
  assert.equal((state!.document as { vaults: { name: string }[] }).vaults[0]?.name, "renamed");
  await world.close();
});
