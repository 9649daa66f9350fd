import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setVaultResources } from "../vaults/setVaultResources.ts";
import { associateVaultPolicy } from "./associateVaultPolicy.ts";
import { deletePolicy } from "./deletePolicy.ts";
import { disassociateVaultPolicy } from "./disassociateVaultPolicy.ts";
import { queueDuePolicyRuns } from "./queueDuePolicyRuns.ts";
import { updatePolicy } from "./updatePolicy.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { makePolicyWorld } from "../../../test/support/policy-world.ts";
import type { PolicyWorld } from "../../../test/support/policy-world.ts";

let world: PolicyWorld;
afterEach(() => world.close());

const daily = (hour: number, interval = 1): string => `FREQ=DAILY;INTERVAL=${interval};BYHOUR=${hour};BYMINUTE=00`;

const days = async (vaultId: string): Promise<string[]> => (await world.times(vaultId)).map((time) => time.slice(0, 10));

describe("a policy that is due", () => {
  it("backs up its vault by itself, in its name", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault(2);
    await world.catalog.vaults.update(vaultId, { backupNamePrefix: "nightly" });
    const policy = await world.apply(vaultId, [daily(6)], { retentionDurationDays: 30 });
    await world.until("2026-01-01T05:59:00");
    assert.deepEqual(await world.times(vaultId), []);
    await world.until("2026-01-01T06:00:00");
    const backups = await world.backups(vaultId);
    assert.deepEqual(await world.times(vaultId), ["2026-01-01T06:00", "2026-01-01T06:00"]);
    for (const backup of backups) {
      assert.deepEqual([backup.status, backup.autoTrigger, backup.userId], ["available", true, "u1"]);
      assert.match(backup.name ?? "", /^nightly_[0-9a-f]{4}-000[12]$/);
      assert.equal(backup.expiredAt, backup.createdAt + 30 * 86_400_000_000);
    }
    const tasks = await world.tasks(vaultId);
    assert.deepEqual(new Set(tasks.map(({ type, status, policyId }) => `${type} ${status} ${policyId}`)), new Set([`backup success ${policy.id}`]));
    await world.until("2026-01-02T05:00:00");
    assert.equal((await world.backups(vaultId)).length, 2, "once only");
  });

  it("is run by one of several processes", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00", { twoProcesses: true });
    const vaultIds = [await world.vault(), await world.vault(), await world.vault()];
    for (const vaultId of vaultIds) await world.apply(vaultId, [daily(6)]);
    await world.until("2026-01-01T05:59:59");
    world.pass(1);
    // Both have seen what is due before either does anything about it.
    const turns = await Promise.all([world.context, world.twin, world.twin].map((context) => queueDuePolicyRuns(context)));
    assert.equal(
      turns.reduce((sum, each) => sum + each),
      3,
    );
    for (const vaultId of vaultIds) assert.equal((await world.backups(vaultId)).length, 1);
  });

  it("catches up once after an outage, however long", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    await world.apply(vaultId, [daily(6), daily(18)]);
    await world.until("2026-01-01T07:00:00");
    world.pass(10 * 1440 + 210);
    await world.until("2026-01-11T19:00:00");
    assert.deepEqual(await world.times(vaultId), ["2026-01-01T06:00", "2026-01-11T10:30", "2026-01-11T18:00"]);
  });

  it("keeps its local hour over a year with daylight saving, and misses no third day", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    await world.apply(vaultId, [daily(6, 3)], {}, "Europe/Berlin");
    await world.until("2027-01-01T00:00:00");
    const all = await world.times(vaultId);
    assert.equal(all.length, 122);
    const hours = Map.groupBy(all, (time) => time.slice(11));
    assert.deepEqual([...hours.keys()].toSorted(), ["04:00", "05:00"]);
    assert.equal(hours.get("04:00")?.[0], "2026-03-29T04:00");
    assert.equal(hours.get("04:00")?.at(-1), "2026-10-22T04:00");
  });
});

describe("a run that cannot be", () => {
  it("is skipped while the run before is under way, and says so", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6), daily(7), daily(8)]);
    await world.until("2026-01-01T05:59:00");
    for (let hour = 0; hour < 2; hour++) {
      world.pass(60);
      await world.tick();
    }
    const [first, second] = await world.tasks(vaultId);
    assert.deepEqual([first?.status, second?.status, second?.errorCode, second?.policyId], ["waiting", "skipped", "BackupService.6125", policy.id]);
    assert.ok(second?.endedAt !== null && second?.errorMessage !== "");
    await world.runQueued();
    await world.until("2026-01-01T09:00:00");
    assert.deepEqual(await world.times(vaultId), ["2026-01-01T06:59", "2026-01-01T08:00"], "the next one runs");
  });

  it("is skipped where there is nothing to back up, and fails where the vault is full", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const empty = await world.vault(0);
    const full = await world.vault();
    for (const vaultId of [empty, full]) await world.apply(vaultId, [daily(6)]);
    const { vault } = (await createCheckpoint(world.context, world.caller, { vaultId: full })) ?? {};
    await world.runQueued();
    await world.catalog.backups.update((await world.backups(full))[0]!.id, {
      statistics: { ...(await world.backups(full))[0]!.statistics!, storedBytes: vault.sizeGib * 1024 ** 3 },
    });
    await world.until("2026-01-01T07:00:00");
    const ends = async (vaultId: string) => (await world.tasks(vaultId)).slice(-1).map(({ status, errorCode }) => [status, errorCode]);
    assert.deepEqual(await ends(empty), [["skipped", "BackupService.0001"]]);
    assert.deepEqual(await ends(full), [["failed", "BackupService.6114"]]);
  });

  it("leaves out suspended resources, and tells which ones could not be backed up", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault(3);
    await world.apply(vaultId, [daily(6)]);
    const [suspended, broken, good] = (await world.catalog.vaults.resourcesOf(vaultId)).map(({ resourceId }) => resourceId);
    await setVaultResources(world.context, world.caller, { vaultId, resourceIds: [suspended!], suspended: true });
    await world.catalog.resources.update(broken!, { status: "error" });
    await world.until("2026-01-01T07:00:00");
    assert.deepEqual(
      (await world.backups(vaultId)).map(({ resourceId }) => resourceId),
      [good],
    );
    const tasks = (await world.tasks(vaultId)).map(({ status, resourceId, errorCode }) => [status, resourceId, errorCode]);
    assert.deepEqual(
      new Set(tasks),
      new Set(
        [
          ["success", good, ""],
          ["skipped", broken, "BackupService.7003"],
        ].map((each) => each),
      ),
    );
  });
});

describe("a change of a policy", () => {
  it("counts from now on; disabled it neither runs nor lets anything go", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6)], { retentionDurationDays: 2 });
    await world.until("2026-01-02T07:00:00");
    await updatePolicy(world.context, world.caller, { policyId: policy.id, enabled: false });
    await world.until("2026-01-09T07:00:00");
    assert.deepEqual(await days(vaultId), ["2026-01-01", "2026-01-02"]);
    await updatePolicy(world.context, world.caller, { policyId: policy.id, enabled: true, schedule: { patterns: [daily(20)], timezone: null } });
    await world.until("2026-01-09T12:00:00");
    assert.deepEqual(await days(vaultId), [], "what was missed is not caught up, what is over goes");
    await world.until("2026-01-10T21:00:00");
    assert.deepEqual(await world.times(vaultId), ["2026-01-09T20:00", "2026-01-10T20:00"]);
  });

  it("leaves what was made when the policy is taken off or deleted", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const [one, two] = [await world.vault(), await world.vault()];
    const policy = await world.apply(one, [daily(6)], { maxBackups: 1 });
    await associateVaultPolicy(world.context, world.caller, { vaultId: two, policyIds: [policy.id] });
    await world.until("2026-01-01T07:00:00");
    await disassociateVaultPolicy(world.context, world.caller, { vaultId: one, policyId: policy.id });
    await world.until("2026-01-02T07:00:00");
    await deletePolicy(world.context, world.caller, { policyId: policy.id });
    await world.until("2026-01-04T07:00:00");
    assert.deepEqual([await days(one), await days(two)], [["2026-01-01"], ["2026-01-02"]]);
  });
});
