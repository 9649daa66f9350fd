import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { parseUtc } from "#model/timestamps.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVault } from "../vaults/deleteVault.ts";
import { associateVaultPolicy } from "./associateVaultPolicy.ts";
import { createPolicy } from "./createPolicy.ts";
import { makeVolume, makeWorld, manualClock } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { refused } from "../../../test/support/vaults.ts";
import { tick } from "#worker/scheduler.ts";

const clock = manualClock(parseUtc("2026-01-01T00:00:00"));
const page = { limit: 1000, offset: 0 };
let world: World;
before(async () => {
  world = await makeWorld({ clock });
});
after(() => world.close());

/** A day later, and everything that is due done. */
async function nextDay(): Promise<void> {
  clock.advance(86_400_000);
  // The second time for what the tasks of the first have left to be let go.
  for (let times = 0; times < 2; times++) {
    await tick(world.context, () => false);
    await world.runAll();
  }
}

it("a replication policy copies what is new into its vault, keeps its number of copies, and tells why it does not run", async () => {
  const { context, catalog } = world;
  const caller = await world.newCaller();
  await catalog.identity.insertUser({ id: "u1", domainId: "default", name: "u", passwordHash: "", enabled: true, defaultProjectId: null });
  const volume = await makeVolume(world, caller);
  const kind = { sizeGib: 10, objectType: "disk", consistentLevel: "crash_consistent" } as const;
  const { vault } = await createVault(context, caller, {
    ...kind,
    name: "v",
    protectType: "backup",
    resources: [{ id: volume.id, type: volume.type }],
  });
  const copies = (await createVault(context, caller, { ...kind, name: "r", protectType: "replication", resources: [] })).vault;
  const schedule = { patterns: ["FREQ=DAILY;BYHOUR=6"], timezone: null };
  const definition = { maxBackups: 1 };
  const { policy } = await createPolicy(context, caller, { name: "p", operationType: "replication", definition, schedule });
  const apply = (destinationVaultId: string) =>
    associateVaultPolicy(context, caller, { vaultId: vault.id, policyIds: [policy.id], destinationVaultId });
  await refused(apply(vault.id), "vaultTakesNoReplicas", "6119");
  await refused(apply(context.random.uuid()), "destinationVaultMissing", "6120");
  await apply(copies.id);

  const backUp = async (): Promise<string> => {
    const { checkpoint } = await createCheckpoint(context, caller, { vaultId: vault.id });
    await world.runAll();
    return (await catalog.backups.ofCheckpoint(checkpoint.id))[0]!.id;
  };
  const copiesOf = async () =>
    (await catalog.backups.list(caller.projectId, { vaultId: copies.id }, page)).items.map((view) => view.replications[0]?.sourceBackupId);
  const ends = async () =>
    (await catalog.tasks.list(caller.projectId, { type: "replication" }, page)).items
      .toReversed()
      .map(({ status, errorCode, policyId }) => [status, errorCode, policyId === policy.id]);

  const first = await backUp();
  await nextDay();
  assert.deepEqual(await copiesOf(), [first]);
  const [copy] = (await catalog.backups.list(caller.projectId, { vaultId: copies.id }, page)).items;
  assert.deepEqual([copy?.backup.status, copy?.backup.autoTrigger, copy?.backup.imageType], ["available", true, "replication"]);
  const second = await backUp();
  await nextDay();
  assert.deepEqual(await copiesOf(), [second], "one copy is kept");
  await nextDay();
  assert.deepEqual(await copiesOf(), [second], "what was let go is not copied again");
  const done = ["success", "", true];
  assert.deepEqual(await ends(), [done, done, ["skipped", "BackupService.0001", true]]);
  assert.equal((await catalog.backups.list(caller.projectId, { vaultId: vault.id }, page)).count, 2, "the backups themselves stay");

  await deleteVault(context, caller, { vaultId: copies.id });
  await world.runAll();
  await nextDay();
  assert.deepEqual((await ends()).at(-1), ["failed", "BackupService.6120", true]);
});
