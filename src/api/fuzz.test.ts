/**
 * Every operation, from its schema: requests that are right, at an edge, or wrong. What is refused has changed nothing: the catalog's sums of its
 * rows and the files of volumes are compared before and after.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { samplePolicy } from "#catalog/samples.ts";
import type { Caller } from "#model/caller.ts";
import { systemClock, type Clock } from "#platform/clock.ts";
import { silentLog, type Log } from "#platform/log.ts";
import type { Engine } from "#repository/engine-types.ts";
import { startEngine } from "#repository/engine.ts";
import { createVolumeBackup } from "#services/backups/createVolumeBackup.ts";
import { createCheck } from "#services/check/createCheck.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import { createSnapshot } from "#services/snapshots/createSnapshot.ts";
import { addServer } from "#services/resources/addServer.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { testWebhook } from "#services/events/testWebhook.ts";
import { startRunner } from "#worker/runner.ts";
import { createWebhook } from "#services/events/createWebhook.ts";
import { backgroundIdle } from "#services/support/background.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import { CatalogSums, dumpCatalog } from "../../test/support/catalog-dump.ts";
import { assertErrorShape, assertTellsNothing } from "../../test/support/error-shape.ts";
import { requestFor } from "../../test/support/fuzz-request.ts";
import { devProjectId, masterKey, otherProjectId, startHarness, type Harness } from "../../test/support/identity-listener.ts";
import type { Pool, Schema } from "../../test/support/schema-arbitrary.ts";
import { listRoutes } from "./http/routes.ts";
import type { RegisteredRoute } from "./http/runtime.ts";

let folder: string;
let engine: Engine;
let harness: Harness;
let sums: CatalogSums;
let pool: Pool;
let token: string;

/** Nobody waits long for what is only put off. */
const clock: Clock = { nowUs: () => systemClock.nowUs(), sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1), signal) };

/** What the service logged last as a defect: the reason of a 500. */
let defect: unknown;
const log: Log = {
  ...silentLog,
  error: (fields) => {
    defect = fields;
  },
  child: () => log,
};

/** Real things of every kind, several of each, so that not all is gone after the first deletion; and some that are in work. */
async function furnish(): Promise<void> {
  const { context } = harness;
  const { catalog } = context;
  const demo = (await catalog.identity.findUser("default", "demo"))!;
  const caller: Caller = { userId: demo.id, userName: "demo", projectId: devProjectId, domainId: "default", roles: ["admin"], requestId: "req-1" };
  const ids: Record<string, string[]> = { user: [demo.id, "reader-id"], project: [devProjectId, otherProjectId], member: [otherProjectId] };
  const add = (kind: string, ...more: string[]): void => void (ids[kind] ??= []).push(...more);
  const common = { protectType: "backup", consistentLevel: "crash_consistent", sizeGib: 100 } as const;
  for (let turn = 0; turn < 5; turn += 1) {
    const [disk, root, free] = [
      await createVolume(context, caller, { sizeGib: 1, name: `disk-${turn}` }),
      await createVolume(context, caller, { sizeGib: 1, name: `root-${turn}` }),
      await createVolume(context, caller, { sizeGib: 1, name: `free-${turn}` }),
    ];
    const server = await addServer(context, caller, { name: `server-${turn}`, disks: [{ volumeId: root.id, systemDisk: true }] });
    const bound = { id: disk.id, type: "OS::Cinder::Volume" as const };
    const { vault } = await createVault(context, caller, { name: `vault-${turn}`, objectType: "disk", resources: [bound], ...common });
    const forServers = { resources: [{ id: server.id, type: "OS::Nova::Server" as const }], objectType: "server" as const };
    const { vault: other } = await createVault(context, caller, { name: `servers-${turn}`, ...forServers, ...common });
    const { checkpoint } = await createCheckpoint(context, caller, { vaultId: vault.id });
    const { checkpoint: ofServer } = await createCheckpoint(context, caller, { vaultId: other.id });
    const snapshot = await createSnapshot(context, caller, { volumeId: free.id, name: `snapshot-${turn}` });
    const policy = samplePolicy({ name: `policy-${turn}` });
    await catalog.policies.insert(policy);
    const { webhook } = await createWebhook(context, caller, { url: "https://hooks.example/" });
    add("volume", disk.id, root.id, free.id);
    add("server", server.id);
    for (const kind of ["resource", "instance"]) add(kind, server.id, disk.id, free.id);
    add("vault", vault.id, other.id);
    add("checkpoint", checkpoint.id, ofServer.id);
    for (const [kind, { id }] of Object.entries({ snapshot, policy, webhook })) add(kind, id);
  }
  const runner = startRunner({ context, owner: "node", concurrency: 2 });
  await runner.idle();
  await runner.stop(0);
  await testWebhook(context, caller, { webhookId: ids["webhook"]![0]! });
  await createVolumeBackup(context, caller, { volumeId: ids["volume"]![2]!, name: "in work", incremental: "auto" });
  await createCheck(context, caller, { readData: null });
  const page = { limit: 100, offset: 0 };
  for (const { backup } of (await catalog.backups.list(devProjectId, {}, page)).items) add("backup", backup.id);
  for (const task of (await catalog.tasks.list(devProjectId, {}, page)).items) add("operation_log", task.id);
  for (const delivery of (await catalog.events.listDeliveries(devProjectId, {}, page)).items) add("delivery", delivery.id);
  assert.ok(ids["backup"]!.length > 15 && ids["delivery"]!.length > 0);
  pool = { ids: { ...ids, "": Object.values(ids).flat() } };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-fuzzed-"));
  mkdirSync(join(folder, "store"));
  engine = await startEngine({ storePath: join(folder, "store"), indexPath: join(folder, "index.sqlite"), masterKey, laneCount: 1 });
  harness = await startHarness({ folder, engine, log, clock, tokenLifetimeSeconds: 36_000 });
  await furnish();
  await backgroundIdle(harness.context);
  sums = new CatalogSums(folder);
  token = await harness.login("admin");
});
after(async () => {
  sums.close();
  await harness.close();
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** All that a refused call must leave alone. */
function stateNow(): string {
  const files = readdirSync(folder).filter((name) => !/sqlite|^store$/.test(name));
  return JSON.stringify([sums.now(), files.map((name) => [name, statSync(join(folder, name)).size, statSync(join(folder, name)).mtimeMs])]);
}

/** The routes of a dialect at the first of their prefixes: the others have the same handlers. */
function routesOf(dialect: string): RegisteredRoute[] {
  const seen = new Set<string>();
  const own = listRoutes(harness.app).filter(
    ({ dialect: name, route }) => name === dialect && !seen.has(route.operation) && seen.add(route.operation),
  );
  // Deletions come last, so that what the others need is there.
  return own.toSorted((a, b) => Number(a.route.method === "DELETE") - Number(b.route.method === "DELETE"));
}

/** Times that something was really changed: what a comparison that sees nothing would never count. */
let changes = 0;

/** What would take away what the rest of the test stands on: who asks, and where. */
const isOwnGround = (text: string): boolean => text.includes(devProjectId) && /projects\/|roles\//.test(text);

async function attack({ dialect, path, route }: RegisteredRoute, runs: number, statuses: Record<number, number>): Promise<void> {
  const operation = {
    method: route.method,
    path: path.replaceAll(/:(\w+)/g, "{$1}"),
    parameters: [
      ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name: name!, in: "path" })),
      ...Object.keys((route.schema.querystring?.["properties"] ?? {}) as object).map((name) => ({ name, in: "query" })),
    ],
    body: route.schema.body as Schema | undefined,
  };
  let state = stateNow();
  await fc.assert(
    fc.asyncProperty(requestFor(operation, pool, devProjectId), async ({ path: url, headers, body }) => {
      if (dialect === "identity" && (isOwnGround(url) || route.operation === "RevokeToken")) return;
      // Asked without a socket, `/a/../b` is sent as `/b`; over one it is tried in test/acceptance/http-fuzz.test.ts.
      if (new URL(url, "http://cbr.test").pathname !== url.split("?")[0]) return;
      const { host: _, ...given } = headers;
      const answer = await harness.app.inject({
        method: route.method as "GET",
        url,
        headers: { "x-auth-token": token, ...given },
        ...(body === undefined ? {} : { payload: Buffer.from(body) }),
      });
      const { statusCode: status, payload: text } = answer;
      statuses[status] = (statuses[status] ?? 0) + 1;
      const told = `${route.method} ${url} ${Buffer.from(body ?? "")
        .toString()
        .slice(0, 1500)} → ${status} ${text.slice(0, 500)}`;
      assert.ok(status >= 200 && (status < 500 || status === 501), `${told} ${inspect(defect)}`);
      const answered = { status, headers: answer.headers as Record<string, string>, text };
      assertTellsNothing(answered, [folder], told);
      if (status >= 400) {
        assertErrorShape(dialect, route.method, answered, told);
        if (stateNow() !== state) assert.fail(`what was refused has changed something: ${told}\n${dumpCatalog(folder).join("\n").slice(-5000)}`);
      } else if (route.method !== "GET" && route.method !== "HEAD") {
        await backgroundIdle(harness.context);
        const now = stateNow();
        if (now !== state) changes += 1;
        state = now;
      } else assert.equal(stateNow(), state, `a look has changed something: ${told}`);
    }),
    { numRuns: runs, seed: 20_260_106, endOnFailure: true },
  );
}

describe("every operation, from its schema", () => {
  for (const dialect of ["opencbr", "cinder", "vbs", "cbr", "identity"]) {
    test(dialect, async (t) => {
      const statuses: Record<number, number> = {};
      changes = 0;
      const routes = routesOf(dialect);
      assert.ok(routes.length >= 20, `${routes.length} operations`);
      for (const registered of routes) await attack(registered, registered.route.schema.body === undefined ? 25 : 80, statuses);
      const sum = (from: number, to: number): number =>
        Object.entries(statuses).reduce((total, [status, count]) => total + (Number(status) >= from && Number(status) < to ? count : 0), 0);
      t.diagnostic(JSON.stringify(statuses));
      assert.ok(sum(200, 300) > 50 && sum(400, 500) > 100 && changes > 10, `${changes} changes`);
    });
  }
});
