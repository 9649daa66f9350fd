import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import fc from "fast-check";
import type { RepositoryErrorCode } from "#repository/engine-types.ts";
import { hexOf, packObjectKey, packPrefix, rootObjectKey } from "#repository/layout.ts";
import { PackWriter } from "#repository/pack.ts";
import { BackupSession } from "#repository/session.ts";
import { contentOf, keys, tenant } from "./disk.ts";
import type { Disk } from "./disk.ts";
import { fairWeather } from "./faulty-store.ts";
import { hourUs, minuteUs } from "./virtual-time.ts";
import { World } from "./world.ts";
import type { Host } from "./world.ts";

const graceUs = 24 * hourUs;

interface Stage {
  world: World;
  host: Host;
  /** Lets time pass until the work is done. */
  play: <T>(work: () => Promise<T>) => Promise<T>;
  wait: (us: number) => Promise<void>;
  /** Backs up these contents, at the places that the keys say. */
  backUp: (backupId: string, disk: Record<number, number>, baseId?: string) => Promise<void>;
  /** Collections until everything that was garbage at first is gone. */
  collectAll: () => Promise<void>;
}

function stage(t?: TestContext): Stage {
  const world = new World({ seed: 1, weather: { ...fairWeather }, graceUs });
  t?.after(() => world.close());
  const host = world.host("host");
  async function play<T>(work: () => Promise<T>): Promise<T> {
    const done = { yet: false };
    const outcome = work().finally(() => (done.yet = true));
    outcome.catch(() => undefined);
    do await world.check();
    while (!done.yet && (await world.time.step()));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(done.yet, "the work waits for something that never comes");
    await world.check();
    return await outcome;
  }
  const wait = (us: number): Promise<void> => play(() => world.time.sleep(us, host.process));
  return {
    world,
    host,
    play,
    wait,
    backUp(backupId, places, baseId) {
      const disk: Disk = new Map(Object.entries(places).map(([chunk, content]) => [Number(chunk), content]));
      return play(() => world.backUp(host, backupId, disk, baseId, minuteUs));
    },
    async collectAll() {
      for (let round = 0; round < 4; round++) {
        await wait(graceUs + hourUs);
        await play(() => world.collect(host, { compactBelowRatio: 1 }));
      }
    },
  };
}

async function storedKeys(world: World, prefix = packPrefix(tenant)): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of world.store.objects.list(prefix)) found.push(key);
  return found.sort();
}

/** Ids of all records that the store holds. */
async function storedIds(world: World): Promise<string[]> {
  const ids: string[] = [];
  for (const { packId } of world.index.packsOf(tenant)) {
    assert.ok(await world.store.objects.stat(packObjectKey(tenant, packId)));
    ids.push(...world.index.damage.placesIn(packId).map(({ id }) => hexOf(id)));
  }
  return ids.sort();
}

const refusedWith = (code: RepositoryErrorCode) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error));
  return true;
};

test("backups deleted in any order free exactly what only they used", async () => {
  const disks: Record<number, number>[] = [
    { 0: 1, 1: 2, 1024: 3 },
    { 0: 1, 1: 4, 1024: 3 },
    { 0: 5, 1: 4, 1024: 3, 2048: 6 },
    { 0: 1, 1: 2, 1024: 3 },
    { 7: 8, 8: 9, 9: 10, 10: 11, 11: 12 },
  ];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), async (order) => {
      const { world, host, play, backUp, collectAll } = stage();
      for (const [at, disk] of disks.entries()) await backUp(`b${at}`, disk, at === 0 ? undefined : `b${at - 1}`);
      for (const [n, at] of order.entries()) {
        await play(() => world.delete(host, `b${at}`));
        await collectAll();
        await world.checkNoGarbage();
        const alone = stage();
        for (const left of order.slice(n + 1)) await alone.backUp(`b${left}`, disks[left]!);
        assert.deepEqual(await storedIds(world), await storedIds(alone.world), `after ${n + 1} of ${order.join()}`);
        alone.world.close();
      }
      assert.deepEqual(await storedKeys(world), []);
      world.close();
    }),
    { numRuns: 6 },
  );
});

test("nothing leaves the store before the grace period, nor in the run that condemned it", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1 });
  await backUp("b", { 0: 2 });
  const before = await storedKeys(world);
  await play(() => world.delete(host, "a"));
  const runs: [number, Partial<Record<"purged" | "condemned" | "deleted", number>>][] = [
    [0, {}],
    [graceUs - hourUs, {}],
    [2 * hourUs, { purged: 1, condemned: 2 }],
    [0, {}],
    [graceUs - hourUs, {}],
    [2 * hourUs, { deleted: 2 }],
  ];
  for (const [waitUs, expected] of runs) {
    await wait(waitUs);
    const { done, freedBytes } = await play(() => world.collect(host));
    assert.deepEqual({ purged: done.purged, condemned: done.condemned, deleted: done.deleted }, { purged: 0, condemned: 0, deleted: 0, ...expected });
    if (expected.deleted === undefined) assert.deepEqual(await storedKeys(world), before);
    else assert.ok(freedBytes > 0);
  }
  assert.equal((await storedKeys(world)).length, before.length - 2);
});

test("a condemned pack that a backup uses again is live again", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1 });
  await play(() => world.delete(host, "a"));
  await wait(graceUs + hourUs);
  assert.equal((await play(() => world.collect(host))).done.condemned, 2);
  const before = await storedKeys(world);
  await backUp("again", { 0: 1 });
  assert.deepEqual(await storedKeys(world), before, "nothing was stored anew");
  await wait(graceUs + hourUs);
  assert.equal((await play(() => world.collect(host))).done.deleted, 0);
  await play(() => world.restore(host, "again"));
});

test("what deletions explain goes without force, day after day, also when a backup under way delays it", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("kept", { 0: 4 });
  const strictly = () => play(() => world.collect(host, { maxCondemnRatio: 0.2 }));
  for (let day = 0; day < 3; day++) {
    await backUp(`day-${day}`, { 0: 100 + day, 1: 200 + day, 1030: 300 + day });
    await play(() => world.delete(host, `day-${day}`));
    await wait(graceUs + hourUs);
    const parts = { store: host.store, index: world.index, clock: world.time, random: world.random };
    const underWay = day === 1 ? BackupSession.open(parts, { tenant, backupId: "under-way" }) : undefined;
    if (underWay !== undefined) await backUp("meanwhile", { 0: 4 });
    const report = await strictly();
    assert.deepEqual([report.plan.stopped, report.plan.unexplainedBytes, report.done.purged], [undefined, 0, 1]);
    underWay?.close();
    const next = await strictly();
    assert.deepEqual([next.plan.stopped, next.plan.unexplainedBytes], [undefined, 0]);
    assert.ok(report.done.condemned + next.done.condemned >= 2, "a pack of chunks and one of pages");
  }
  await wait(graceUs + hourUs);
  assert.ok((await strictly()).done.deleted > 0);
  await play(() => world.restore(host, "kept"));
});

test("a run that finds much no longer needed that nobody deleted stops, says so, takes nothing, and does so again", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1, 1: 2, 2: 3 });
  await backUp("b", { 0: 4, 1: 2 });
  await backUp("deleted", { 5: 5 });
  await wait(hourUs);
  await play(() => world.collect(host, { maxCondemnRatio: 0.2 }));
  await play(() => world.delete(host, "deleted"));
  // The store has lost it, or something has removed it that is not us.
  world.committed.delete("a");
  await play(() => world.removeRoot(host, "a"));
  await wait(graceUs + hourUs);
  for (let again = 0; again < 2; again++) {
    const stopped = await play(() => world.collect(host, { maxCondemnRatio: 0.2 }));
    assert.match(stopped.plan.stopped ?? "", /more than 20 %/);
    assert.deepEqual(stopped.plan.actions, []);
    assert.deepEqual([stopped.done.condemned, stopped.done.compacted, stopped.done.purged], [0, 0, 0]);
  }
  const forced = await play(() => world.collect(host, { maxCondemnRatio: 1 }));
  assert.ok(forced.done.condemned > 0 && forced.done.purged === 1);
  assert.equal((await play(() => world.collect(host, { maxCondemnRatio: 0.2 }))).plan.stopped, undefined);
});

test("a loss is noticed before the first mark", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1, 1: 2, 2: 3, 3: 6, 4: 7 });
  world.committed.delete("a");
  await play(() => world.removeRoot(host, "a"));
  await backUp("b", { 0: 4 });
  await wait(graceUs + hourUs);
  assert.match((await play(() => world.collect(host, { maxCondemnRatio: 0.2 }))).plan.stopped ?? "", /more than 20 %/);
});

test("a loss is noticed where little would be condemned, because packs would be compacted", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("kept", Object.fromEntries(Array.from({ length: 10 }, (_, at) => [2048 + at, 50 + at])));
  await backUp("lost", { 10: 11, 11: 12, 12: 13, 13: 14, 14: 15, 15: 16, 16: 17, 17: 18 });
  await backUp("half", { 10: 11, 13: 14, 16: 17 });
  await wait(hourUs);
  await play(() => world.collect(host));
  world.committed.delete("lost");
  await play(() => world.removeRoot(host, "lost"));
  await wait(hourUs);
  const { plan } = await play(() => world.collect(host, { maxCondemnRatio: 0.2 }));
  assert.match(plan.stopped ?? "", /more than 20 %/);
  assert.ok(plan.condemnBytes < plan.packBytes * 0.2, `${plan.condemnBytes} of ${plan.packBytes}`);
});

test("a dry run plans and changes nothing", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1 });
  await backUp("b", { 0: 2, 1: 1 });
  await play(() => world.delete(host, "a"));
  await wait(graceUs + hourUs);
  const states = (): unknown => [...world.index.ledger.packsOf(tenant)];
  const [before, version] = [states(), world.store.version];
  const { plan, done } = await play(() => world.collect(host, { dryRun: true }));
  assert.deepEqual(states(), before);
  assert.equal(world.store.version, version);
  assert.ok(Object.values(done).every((count) => count === 0));
  assert.deepEqual(plan.actions.map(({ kind }) => kind).sort(), ["condemn", "purge"]);
  assert.ok(plan.actions.every(({ reason }) => reason.length > 0));
});

test("a deleted backup comes back within the grace period, and not after it", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1, 1024: 2 });
  await play(() => world.delete(host, "a"));
  await wait(graceUs - hourUs);
  await play(() => world.collect(host));
  await play(() => world.undelete(host, "a"));
  assert.ok(world.committed.has("a"));
  await play(() => world.restore(host, "a"));
  await play(() => world.delete(host, "a"));
  await wait(graceUs + hourUs);
  await play(() => world.collect(host));
  await play(() => world.undelete(host, "a"));
  assert.ok(!world.committed.has("a"));
});

test("an older copy of the index is noticed: nothing is collected until the service has started anew", async (t) => {
  const { world, host, play, wait, backUp, collectAll } = stage(t);
  for (const first of [true, false]) {
    await backUp(`kept-${first}`, { 0: 1, 1: 2 });
    await backUp(`gone-${first}`, { 0: first ? 3 : 4 });
    const copy = world.copyDatabase();
    await play(() => world.delete(host, `gone-${first}`));
    await collectAll();
    world.rollBack(copy);
    const next = world.host("next");
    await assert.rejects(
      play(() => world.collect(next)),
      refusedWith("indexOutdated"),
    );
    await play(() => world.start(next));
    // The other one has been started anew as well.
    host.reader = next.reader;
    await wait(graceUs);
    await play(() => world.collect(next));
  }
});

test("objects that nothing knows: a pack joins the index and goes its way, what cannot be read goes after its time", async (t) => {
  const { world, host, play, wait, backUp, collectAll } = stage(t);
  await backUp("a", { 0: 1 });
  const writer = new PackWriter({ tenant, packId: world.random.bytes(16), keys, kind: "data", targetBytes: 4096 });
  writer.add(contentOf(30).id, contentOf(30).plain);
  const stray = writer.finish();
  await world.store.objects.putIfAbsent(stray.key, [stray.bytes]);
  const rubbish = packObjectKey(tenant, world.random.bytes(16));
  await world.store.objects.putIfAbsent(rubbish, [Buffer.from("rubbish")]);
  assert.equal((await play(() => world.collect(host))).done.adopted, 1);
  await collectAll();
  const left = await storedKeys(world);
  assert.ok(!left.includes(stray.key));
  assert.ok(left.includes(rubbish));
  await wait(7 * graceUs);
  assert.equal((await play(() => world.collect(host))).done.sweptOrphans, 1);
  assert.ok(!(await storedKeys(world)).includes(rubbish));
});

test("one collection at a time; a lease that has passed is taken over, and the late one is told", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1 });
  const { ledger } = world.index;
  const token = world.random.bytes(16);
  ledger.takeCollector(token, world.time.nowUs(), world.time.nowUs() + hourUs);
  await assert.rejects(
    play(() => world.collect(host)),
    refusedWith("collectRunning"),
  );
  await wait(2 * hourUs);
  await play(() => world.collect(host));
  assert.throws(() => ledger.condemn(token, [1], { epoch: 99, floor: 99 }, world.time.nowUs()), refusedWith("collectRunning"));
});

test("a session whose lease has passed commits nothing, and leaves no root", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("a", { 0: 1 });
  const parts = { store: host.store, index: world.index, clock: world.time, random: world.random };
  const session = BackupSession.open(parts, { tenant, backupId: "late" });
  const held = world.index.ledger.beginMark(tenant, world.time.nowUs());
  assert.ok(held.floor < held.epoch, "an open session holds the floor");
  await wait(hourUs);
  const { floor, epoch } = world.index.ledger.beginMark(tenant, world.time.nowUs());
  assert.equal(floor, epoch);
  assert.throws(() => session.locate([contentOf(1).id]), refusedWith("sessionLost"));
  await assert.rejects(
    play(() => session.commit(new Uint8Array(8))),
    refusedWith("sessionLost"),
  );
  assert.equal(await world.store.objects.stat(rootObjectKey(tenant, "late")), undefined);
});

test("what a backup needs is not known when a page and what is remembered of it are lost: nothing is condemned", async (t) => {
  const { world, host, play, wait, backUp } = stage(t);
  await backUp("broken", { 0: 1 });
  await backUp("gone", { 0: 2 });
  await play(() => world.delete(host, "gone"));
  world.committed.delete("broken");
  const pages = [...world.index.packsOf(tenant)].filter(({ kind }) => kind === "page");
  world.index.dropPacks([pages[0]!.packId]);
  await world.store.objects.delete(packObjectKey(tenant, pages[0]!.packId));
  await wait(graceUs + hourUs);
  const { plan, damaged, done } = await play(() => world.collect(world.host("fresh")));
  assert.match(plan.stopped ?? "", /what backup broken needs is not wholly known/);
  assert.deepEqual(
    damaged.map(({ backupId }) => backupId),
    ["broken"],
  );
  assert.equal(done.condemned, 0);
  assert.ok(host);
});
