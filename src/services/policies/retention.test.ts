import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { expire } from "#model/retention.ts";
import type { Retained } from "#model/retention.ts";
import { parseUtc } from "#model/timestamps.ts";
import { createCheckpoint } from "../checkpoints/createCheckpoint.ts";
import { updatePolicy } from "./updatePolicy.ts";
import { makePolicyWorld } from "../../../test/support/policy-world.ts";
import type { PolicyWorld } from "../../../test/support/policy-world.ts";

let world: PolicyWorld;
afterEach(() => world.close());

const daily = (hour: number, interval = 1): string => `FREQ=DAILY;INTERVAL=${interval};BYHOUR=${hour};BYMINUTE=00`;
const days = async (vaultId: string): Promise<string[]> => (await world.times(vaultId)).map((time) => time.slice(0, 10));
const january = (...dates: number[]): string[] => dates.map((date) => `2026-01-${String(date).padStart(2, "0")}`);

describe("retention by a number of backups", () => {
  it("keeps the newest automatic ones, and every one made by hand", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6)], { maxBackups: 3 });
    await world.until("2026-01-02T12:00:00");
    await createCheckpoint(world.context, world.caller, { vaultId });
    await world.until("2026-01-10T12:00:00");
    assert.deepEqual(await days(vaultId), january(2, 8, 9, 10));
    assert.deepEqual(
      (await world.backups(vaultId)).map(({ autoTrigger }) => autoTrigger),
      [false, true, true, true],
    );
    const deletions = (await world.tasks(vaultId)).filter(({ type }) => type === "delete");
    assert.equal(deletions.length, 7);
    assert.ok(deletions.every(({ policyId, status }) => policyId === policy.id && status === "success"));
  });

  it("applies a new number to old backups at the next backup", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6)], { maxBackups: 5 });
    await world.until("2026-01-05T12:00:00");
    await updatePolicy(world.context, world.caller, { policyId: policy.id, definition: { maxBackups: 2 } });
    await world.until("2026-01-06T05:00:00");
    assert.deepEqual(await days(vaultId), january(1, 2, 3, 4, 5), "not before");
    await world.until("2026-01-07T00:00:00");
    assert.deepEqual(await days(vaultId), january(5, 6));
  });

  it("applies a number of days to new backups only", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6)], { maxBackups: 2 });
    await world.until("2026-01-03T12:00:00");
    await updatePolicy(world.context, world.caller, { policyId: policy.id, definition: { retentionDurationDays: 1 } });
    await world.until("2026-01-08T12:00:00");
    assert.deepEqual(await days(vaultId), january(2, 3, 8), "those from before stay");
  });

  it("waits for a backup that is being restored, and leaves a locked vault alone", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const [vaultId, locked] = [await world.vault(), await world.vault()];
    for (const each of [vaultId, locked]) await world.apply(each, [daily(6)], { maxBackups: 1 });
    await world.catalog.vaults.update(locked, { locked: true });
    await world.until("2026-01-01T12:00:00");
    const [first] = await world.backups(vaultId);
    const now = world.context.clock.nowUs();
    await world.catalog.backups.transition(first!.id, "waiting_restore", { updatedAt: now });
    await world.until("2026-01-02T12:00:00");
    assert.deepEqual(await days(vaultId), january(1, 2));
    await world.catalog.backups.transition(first!.id, "available", { updatedAt: now });
    await world.until("2026-01-03T01:00:00");
    assert.deepEqual(await days(vaultId), january(2), "without waiting for the next backup");
    assert.deepEqual(await days(locked), january(1, 2));
  });

  it("thins three years out to days, weeks, months and years, at each time as the rule says", async () => {
    world = await makePolicyWorld("2024-01-01T00:00:00");
    const vaultId = await world.vault();
    const rule = { maxBackups: 2, dayBackups: 3, weekBackups: 2, monthBackups: 3, yearBackups: 2, timezone: "UTC+08:00" };
    await world.apply(vaultId, [daily(18, 4)], rule);
    const full = { ...rule, retentionDurationDays: null };
    let expected: Retained[] = [];
    for (const [at, year] of ["2025-01-01T00:00:00", "2026-01-01T00:00:00", "2026-12-25T00:00:00"].map(
      (text, index) => [text, 2024 + index] as const,
    )) {
      for (let us = parseUtc("2024-01-01T18:00:00")!; us < parseUtc(at)!; us += 4 * 86_400_000_000) {
        if (new Date(us / 1000).getUTCFullYear() !== year) continue;
        expected.push({ id: new Date(us / 1000).toISOString().slice(0, 16), resourceId: "r", state: "complete", createdAt: us });
        const gone = new Set(expire(expected, full));
        expected = expected.filter(({ id }) => !gone.has(id));
      }
      await world.until(at);
      assert.deepEqual(
        await world.times(vaultId),
        expected.map(({ id }) => id),
        at,
      );
    }
    // Days in China: a backup at 18:00 UTC is of the next day there. The last one of the year 2025 was made on 29 December.
    assert.deepEqual(await days(vaultId), ["2025-12-29", "2026-10-29", "2026-11-26", "2026-12-16", "2026-12-20", "2026-12-24"]);
  });
});

describe("failed automatic backups", () => {
  it("are kept ten at most, for a month at most", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    const policy = await world.apply(vaultId, [daily(6)]);
    world.failing = true;
    await world.until("2026-01-15T12:00:00");
    assert.deepEqual(await days(vaultId), january(6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    await updatePolicy(world.context, world.caller, { policyId: policy.id, schedule: { patterns: [daily(6, 30)], timezone: null } });
    world.failing = false;
    await world.until("2026-02-10T12:00:00");
    assert.deepEqual(await days(vaultId), [...january(10, 11, 12, 13, 14, 15), "2026-01-31"]);
    await world.until("2026-02-20T12:00:00");
    assert.deepEqual(await days(vaultId), january(31), "those of a month ago are gone, though nothing was backed up since");
  });
});

describe("the hours of expiry", () => {
  it("hold back what is over, by time and by number", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    Object.assign(world.context.settings, { expiryHours: { from: 8 * 60, to: 20 * 60 } });
    const [byTime, byNumber] = [await world.vault(), await world.vault()];
    await world.apply(byTime, [daily(21)], { retentionDurationDays: 1 });
    await world.apply(byNumber, [daily(21)], { maxBackups: 1 });
    // Something is due at each hour.
    const hourly = await world.vault(0);
    await world.apply(
      hourly,
      Array.from({ length: 24 }, (_, hour) => daily(hour)),
    );
    await world.until("2026-01-03T07:30:00");
    assert.deepEqual([await days(byTime), await days(byNumber)], [january(1, 2), january(1, 2)]);
    await world.until("2026-01-03T08:30:00");
    assert.deepEqual([await days(byTime), await days(byNumber)], [january(2), january(2)]);
  });
});

describe("a full backup after so many incremental ones", () => {
  const kinds = async (vaultId: string): Promise<string> =>
    (await world.backups(vaultId)).map(({ incremental }) => (incremental ? "i" : "F")).join("");

  it("is made at its turn, also where the full one before is gone", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const [two, never, each] = [await world.vault(), await world.vault(), await world.vault()];
    await world.apply(two, [daily(6)], { fullBackupInterval: 2, maxBackups: 99 });
    await world.apply(never, [daily(6)], { fullBackupInterval: -1 });
    await world.apply(each, [daily(6)], { fullBackupInterval: 0 });
    await world.until("2026-01-08T12:00:00");
    assert.deepEqual([await kinds(two), await kinds(never), await kinds(each)], ["FiiFiiFi", "Fiiiiiii", "FFFFFFFF"]);

    const pruned = await world.vault();
    await world.apply(pruned, [daily(7)], { fullBackupInterval: 3, maxBackups: 2 });
    const made: string[] = [];
    for (let date = 9; date <= 18; date++) {
      await world.until(`2026-01-${String(date).padStart(2, "0")}T12:00:00`);
      made.push((await kinds(pruned)).at(-1) ?? "");
    }
    assert.equal(made.join(""), "FiiiFiiiFi");
  });

  it("comes a day after the one before at the earliest", async () => {
    world = await makePolicyWorld("2026-01-01T00:00:00");
    const vaultId = await world.vault();
    await world.apply(vaultId, [daily(0), daily(6), daily(12), daily(18)], { fullBackupInterval: 1 });
    await world.until("2026-01-03T05:00:00");
    assert.equal(await kinds(vaultId), "FiiiFiii");
  });
});
