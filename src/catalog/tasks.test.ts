import assert from "node:assert/strict";
import type { Task, TaskType } from "#model/task.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleProject, sampleTask } from "./samples.ts";
import type { Catalog, TaskFilter } from "./tables.ts";

const other = "11111111111111111111111111111111";
const progress = { phase: "read", bytesDone: 5, bytesTotal: 10, rate: 2 };
const claimBy = (catalog: Catalog, owner: string, now = 100) => catalog.tasks.claim({ owner, now, leaseUntil: now + 50 });

onEachDatabase("a task comes back as it was and is found by each filter", async ({ tasks }) => {
  const task = sampleTask({
    vaultId: "v",
    vaultName: "vault",
    checkpointId: "c",
    policyId: "p",
    providerId: "provider",
    backupId: "b",
    backupName: "backup",
    resourceId: "r",
    resourceName: "resource",
    resourceType: "OS::Cinder::Volume",
    result: { counts: [1, 2] },
    requestId: "req",
    errorCode: "code",
    errorMessage: "message",
    cancelRequested: true,
    status: "failed",
    createdAt: 50,
    endedAt: 60,
  });
  await tasks.insert(task);
  await tasks.insert(sampleTask({ createdAt: 10, type: "delete", projectId: other }));
  assert.deepEqual(await tasks.get(sampleProject, task.id), task);
  assert.equal(await tasks.get(other, task.id), undefined);
  const hits: TaskFilter[] = [
    {},
    { type: "backup" },
    { status: "failed" },
    { providerId: "provider" },
    { resourceId: "r" },
    { resourceName: "resource" },
    { vaultId: "v" },
    { vaultName: "vault" },
    { createdFrom: 50, createdTo: 50 },
    { allProjects: true, createdFrom: 11 },
  ];
  for (const filter of hits) assert.deepEqual(await tasks.list(sampleProject, filter, { limit: 9, offset: 0 }), { items: [task], count: 1 });
  const misses: TaskFilter[] = [
    { type: "delete" },
    { status: "running" },
    { providerId: "x" },
    { resourceId: "x" },
    { resourceName: "x" },
    { vaultId: "x" },
    { vaultName: "x" },
    { createdFrom: 51 },
    { createdTo: 49 },
  ];
  for (const filter of misses) assert.equal((await tasks.list(sampleProject, filter, { limit: 9, offset: 0 })).count, 0, JSON.stringify(filter));
});

onEachDatabase("owners that claim at once never get the same task", async (catalog) => {
  for (let i = 0; i < 40; i++) await catalog.tasks.insert(sampleTask({ resourceId: `r${i}`, createdAt: i }));
  const owners = ["a", "b", "c", "d"];
  const claimed = await Promise.all(Array.from({ length: 50 }, (_, i) => claimBy(catalog, owners[i % 4]!)));
  const got = claimed.filter((task) => task !== undefined);
  assert.equal(new Set(got.map(({ id }) => id)).size, 40);
  assert.equal(got.length, 40);
  for (const task of got) assert.deepEqual([task.status, task.fencingToken, task.leaseExpiresAt, task.startedAt], ["running", 1, 150, 100]);
  const ofOwners = await Promise.all(owners.map((owner) => catalog.tasks.runningOf(owner)));
  assert.deepEqual(
    ofOwners
      .flat()
      .map(({ id }) => id)
      .toSorted(),
    got.map(({ id }) => id).toSorted(),
  );
});

onEachDatabase("projects take turns, however many tasks one of them has waiting", async (catalog) => {
  for (let i = 0; i < 6; i++) await catalog.tasks.insert(sampleTask({ id: `big-${i}`, createdAt: i }));
  for (let i = 0; i < 3; i++) await catalog.tasks.insert(sampleTask({ id: `small-${i}`, createdAt: 100 + i, projectId: other }));
  const order = [];
  for (let i = 0; i < 8; i++) order.push((await claimBy(catalog, "o"))?.id);
  assert.deepEqual(order, ["big-0", "small-0", "big-1", "small-1", "big-2", "small-2", "big-3", "big-4"]);
});

onEachDatabase("tasks of one resource never overlap; those without a resource may", async (catalog) => {
  await catalog.tasks.insert(sampleTask({ id: "first", resourceId: "r", createdAt: 1 }));
  await catalog.tasks.insert(sampleTask({ id: "second", resourceId: "r", createdAt: 2, projectId: other }));
  await catalog.tasks.insert(sampleTask({ id: "free", createdAt: 3 }));
  await catalog.tasks.insert(sampleTask({ id: "free-too", createdAt: 4 }));
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push((await claimBy(catalog, "o"))?.id);
  assert.deepEqual(ids, ["first", "free", "free-too", undefined]);
  assert.equal(await catalog.tasks.finish("first", 1, { status: "success", now: 200 }), true);
  assert.equal((await claimBy(catalog, "o"))?.id, "second");
});

onEachDatabase("whoever holds an older token is refused", async (catalog) => {
  const { tasks } = catalog;
  await tasks.insert(sampleTask({ id: "t" }));
  const beat = { now: 110, leaseUntil: 170, progress };
  assert.deepEqual(await tasks.heartbeat("t", 0, beat), { alive: false, cancelRequested: false });
  await claimBy(catalog, "a");
  assert.deepEqual(await tasks.heartbeat("t", 1, beat), { alive: true, cancelRequested: false });
  const running = (await tasks.get(sampleProject, "t"))!;
  assert.deepEqual([running.progress, running.leaseExpiresAt, running.updatedAt], [progress, 170, 110]);
  assert.deepEqual((await tasks.expiredLeases(169)).length, 0);
  assert.deepEqual(
    (await tasks.expiredLeases(170)).map(({ id }) => id),
    ["t"],
  );
  assert.equal(await tasks.requeue("t", 0, 171), false);
  assert.equal(await tasks.requeue("t", 1, 171), true);
  const waiting = (await tasks.get(sampleProject, "t"))!;
  assert.deepEqual([waiting.status, waiting.leaseOwner, waiting.leaseExpiresAt], ["waiting", null, null]);
  const again = (await claimBy(catalog, "b", 180))!;
  assert.deepEqual([again.fencingToken, again.leaseOwner, again.startedAt], [2, "b", 100]);
  assert.deepEqual(await tasks.heartbeat("t", 1, beat), { alive: false, cancelRequested: false });
  assert.equal(await tasks.finish("t", 1, { status: "success", now: 190 }), false);
  assert.equal(await tasks.requeue("t", 1, 190), false);
  await tasks.requestCancel("t", 191);
  assert.deepEqual(await tasks.heartbeat("t", 2, beat), { alive: true, cancelRequested: true });
  const end = { status: "failed" as const, now: 200, errorCode: "E", errorMessage: "m", result: { n: 1 }, progress: { ...progress, bytesDone: 10 } };
  assert.equal(await tasks.finish("t", 2, end), true);
  const { now, ...facts } = end;
  const expected: Partial<Task> = { ...facts, endedAt: now, updatedAt: now, leaseOwner: null, leaseExpiresAt: null };
  assert.deepEqual(await tasks.get(sampleProject, "t"), { ...again, cancelRequested: true, ...expected });
  assert.equal(await tasks.finish("t", 2, end), false);
  assert.deepEqual(await tasks.heartbeat("t", 2, beat), { alive: false, cancelRequested: false });
});

onEachDatabase("a task that never ran can be ended and a task that is over cannot be cancelled", async (catalog) => {
  const { tasks } = catalog;
  await tasks.insert(sampleTask({ id: "t" }));
  assert.equal(await tasks.finishWaiting("t", { status: "skipped", now: 5, errorMessage: "why" }), true);
  const ended = (await tasks.get(sampleProject, "t"))!;
  assert.deepEqual([ended.status, ended.endedAt, ended.errorMessage, ended.startedAt], ["skipped", 5, "why", null]);
  assert.equal(await tasks.finishWaiting("t", { status: "failed", now: 6 }), false);
  await tasks.requestCancel("t", 7);
  assert.equal((await tasks.get(sampleProject, "t"))?.cancelRequested, false);
  await tasks.insert(sampleTask({ id: "u" }));
  await claimBy(catalog, "o");
  assert.equal(await tasks.finishWaiting("u", { status: "failed", now: 6 }), false);
});

onEachDatabase("open tasks are the waiting and running ones that touch any of what is named", async ({ tasks }) => {
  await tasks.insert(sampleTask({ id: "v", vaultId: "vault" }));
  await tasks.insert(sampleTask({ id: "r", resourceId: "resource", status: "running" }));
  await tasks.insert(sampleTask({ id: "b", backupId: "backup" }));
  await tasks.insert(sampleTask({ id: "over", vaultId: "vault", status: "success" }));
  const ids = async (filter: object) => (await tasks.openTasks(filter)).map(({ id }) => id).join(" ");
  assert.equal(await ids({ vaultId: "vault" }), "v");
  assert.equal(await ids({ resourceId: "resource" }), "r");
  assert.equal(await ids({ backupId: "backup" }), "b");
  assert.equal(await ids({ vaultId: "vault", backupId: "backup" }), "v b");
  assert.equal(await ids({ vaultId: "other" }), "");
  assert.equal(await ids({}), "");
});

onEachDatabase("copyings take no place and no turn; copies that arrive wait for each other alone; a type can be left waiting", async (catalog) => {
  const { tasks } = catalog;
  const resourceId = "volume-1";
  const add = async (type: TaskType, createdAt: number): Promise<Task> => {
    const task = sampleTask({ type, resourceId, createdAt });
    await tasks.insert(task);
    return task;
  };
  const [sent, backup, arrived] = [await add("replication", 1), await add("backup", 2), await add("replica", 3)];
  const [sentToo, , arrivedToo] = [await add("replication", 4), await add("backup", 5), await add("replica", 6)];
  const claim = async (but?: TaskType) => (await tasks.claim({ owner: "a", now: 1, leaseUntil: 9, ...(but === undefined ? {} : { but }) }))?.id;
  assert.equal(await claim("replication"), backup.id);
  assert.deepEqual([await claim(), await claim(), await claim(), await claim()], [sent.id, arrived.id, sentToo.id, undefined]);
  assert.equal(await tasks.finish(arrived.id, 1, { status: "success", now: 2 }), true);
  assert.equal(await claim(), arrivedToo.id);
});
