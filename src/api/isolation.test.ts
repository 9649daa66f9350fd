/** Who may ask what, for every route that there is: the table of routes is the list of cases, so that none can be forgotten. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import {
  sampleBackup,
  sampleCheckpoint,
  samplePolicy,
  sampleServer,
  sampleSnapshot,
  sampleTask,
  sampleVault,
  sampleVolume,
} from "#catalog/samples.ts";
import { isReadAction } from "#model/caller.ts";
import { dumpCatalog } from "../../test/support/catalog-dump.ts";
import { imageEngine } from "../../test/support/dialect-app.ts";
import { assertErrorShape } from "../../test/support/error-shape.ts";
import { devProjectId, otherProjectId, startHarness, type Harness } from "../../test/support/identity-listener.ts";
import { likeSchema, type Pool, type Schema } from "../../test/support/schema-arbitrary.ts";
import { listRoutes } from "./http/routes.ts";
import type { RegisteredRoute } from "./http/runtime.ts";

/** What everything of the first project is called: whoever reads this word in an answer sees what is not theirs. */
const marker = "of-the-first-project";
const unknownId = "dddddddd-dddd-4ddd-8ddd-dddddddddddd";

let folder: string;
let harness: Harness;
let pool: Pool;
let ids: Record<string, string>;
let tokens: { admin: string; member: string; reader: string; outsider: string; expired: string };

/** Something of every kind in the first project. */
async function furnish(): Promise<void> {
  const { catalog } = harness.context;
  const volume = sampleVolume({ name: `volume ${marker}`, metadata: { note: marker } });
  const server = sampleServer({ name: `server ${marker}`, disks: [{ volumeId: volume.id, systemDisk: true }] });
  const vault = sampleVault({ name: `vault-${marker}`, tags: [{ key: "note", value: marker }] });
  const snapshot = sampleSnapshot({ volumeId: volume.id, name: `snapshot ${marker}` });
  const checkpoint = sampleCheckpoint({ vaultId: vault.id, name: `checkpoint-${marker}` });
  const backup = sampleBackup({ vaultId: vault.id, checkpointId: checkpoint.id, resourceId: volume.id, resourceName: marker, name: marker });
  const policy = samplePolicy({ name: `policy-${marker}` });
  const task = sampleTask({ vaultId: vault.id, vaultName: vault.name, backupId: backup.id, resourceName: marker });
  await catalog.transaction(async (tables) => {
    await tables.resources.insert(volume);
    await tables.resources.insert(server);
    await tables.vaults.insert(vault);
    await tables.snapshots.insert(snapshot);
    await tables.checkpoints.insert(checkpoint);
    await tables.backups.insert(backup);
    await tables.policies.insert(policy);
    await tables.tasks.insert(task);
  });
  const demo = (await catalog.identity.findUser("default", "demo"))!;
  await catalog.identity.insertUser({ ...demo, id: "outsider-id", name: "outsider", defaultProjectId: otherProjectId });
  await catalog.identity.grantRole("outsider-id", otherProjectId, "member");
  ids = {
    volume: volume.id,
    server: server.id,
    resource: server.id,
    instance: server.id,
    vault: vault.id,
    snapshot: snapshot.id,
    checkpoint: checkpoint.id,
    backup: backup.id,
    policy: policy.id,
    operation_log: task.id,
    user: demo.id,
    member: otherProjectId,
  };
  pool = {
    ids: { ...Object.fromEntries(Object.entries(ids).map(([kind, id]) => [kind, [id]])), "": Object.values(ids), project: [devProjectId] },
  };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-isolation-"));
  harness = await startHarness({ folder, engine: imageEngine(new Map()) });
  await furnish();
  const nowUs = harness.context.clock.nowUs();
  const demo = (await harness.context.catalog.identity.findUser("default", "demo"))!;
  const expired = await harness.identity.tokens.issue(
    { userId: demo.id, userName: "demo", domainId: "default", scope: { kind: "project", projectId: devProjectId }, roles: ["member"] },
    ["password"],
    nowUs - 2_000_000,
  );
  const [admin, member, reader] = [await harness.login("admin"), await harness.login("demo"), await harness.login("reader")];
  const outsider = await harness.login("outsider", { project: { id: otherProjectId } });
  tokens = { admin, member, reader, outsider, expired: expired.text };
});
after(async () => {
  await harness.close();
  rmSync(folder, { recursive: true });
});

const isOfProject = ({ path, route }: RegisteredRoute): boolean =>
  (route.access ?? (path.includes(":project_id") ? "project" : "token")) === "project";

/** The path with the first project's own ids, in a project. */
const fill = (path: string, projectId: string): string =>
  path.replaceAll(/:(\w+)/g, (_all, name: string) =>
    name === "project_id" || name === "target_id" ? projectId : (ids[name.replace(/_id$/, "")] ?? unknownId),
  );

const methodsOf = ({ route }: RegisteredRoute): string[] => (route.method === "GET" ? ["GET", "HEAD"] : [route.method]);

async function ask(method: string, url: string, token: string | undefined, body?: Uint8Array) {
  const answer = await harness.app.inject({
    method: method as "GET",
    url,
    headers: { ...(token === undefined ? {} : { "x-auth-token": token }), ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { payload: Buffer.from(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers as Record<string, string>, text: answer.payload };
}

/** Asks for every route with a token, and fails unless each is refused so, in its dialect's shape, and nothing is changed. */
async function refusedEverywhere(
  token: string | undefined,
  status: number,
  chosen: (registered: RegisteredRoute) => boolean,
): Promise<{ count: number; others: string[] }> {
  const before = dumpCatalog(folder);
  const others: string[] = [];
  let count = 0;
  for (const registered of listRoutes(harness.app)) {
    for (const method of methodsOf(registered)) {
      if (!chosen(registered)) {
        others.push(`${method} ${registered.path}`);
        continue;
      }
      const url = fill(registered.path, devProjectId);
      const answer = await ask(method, url, token);
      const told = `${method} ${registered.path} → ${answer.status} ${answer.text.slice(0, 300)}`;
      assert.equal(answer.status, status, told);
      assertErrorShape(registered.dialect, method, answer, told);
      assert.ok(!answer.text.includes(marker), told);
      count += 1;
    }
  }
  assert.deepEqual(dumpCatalog(folder), before);
  return { count, others };
}

describe("every route", () => {
  const isGuarded = ({ route }: RegisteredRoute): boolean => route.access !== "public";

  test("without a token: 401, but for what anybody may ask", async () => {
    const { count, others } = await refusedEverywhere(undefined, 401, isGuarded);
    assert.ok(count > 300, `${count}`);
    const open = [
      "/",
      "/cbr",
      "/cbr/:api_version",
      "/identity",
      "/identity/v3",
      "/identity/v3/auth/tokens",
      "/v3",
      "/v3/auth/tokens",
      "/volume",
      "/volume/v2",
      "/volume/v3",
    ];
    assert.deepEqual([...new Set(others.map((each) => each.replace(/^\w+ /, "")))].toSorted(), open);
  });

  test("with a token that has expired, was changed or is none: 401", async () => {
    await refusedEverywhere(tokens.expired, 401, isGuarded);
    await refusedEverywhere(`${tokens.member.slice(0, -8)}AAAAAAAA`, 401, isGuarded);
    await refusedEverywhere("none", 401, isGuarded);
  });

  test("with a token of another project: 403 in this one", async () => {
    const { count } = await refusedEverywhere(tokens.outsider, 403, isOfProject);
    assert.ok(count > 250, `${count}`);
  });

  test("with a reader's token: 403 for all but looking, which is allowed", async () => {
    const acts = (registered: RegisteredRoute): boolean => isOfProject(registered) && !isReadAction(registered.route.action);
    const { count } = await refusedEverywhere(tokens.reader, 403, acts);
    assert.ok(count > 70, `${count}`);
    const before = dumpCatalog(folder);
    let looked = 0;
    for (const registered of listRoutes(harness.app).filter((each) => isOfProject(each) && !acts(each))) {
      const answer = await ask(registered.route.method, fill(registered.path, devProjectId), tokens.reader);
      const told = `${registered.route.method} ${registered.path} → ${answer.status} ${answer.text.slice(0, 300)}`;
      assert.ok(answer.status !== 401 && answer.status < 500, told);
      // What is an administrator's says so, also to those who only look at it.
      if (answer.status === 403) assert.match(registered.route.operation, /^(ListServices|ShowDomain)/, told);
      looked += 1;
    }
    assert.ok(looked > 80, `${looked}`);
    assert.deepEqual(dumpCatalog(folder), before);
  });

  test("with any user's token, an administrator's too: 401 where only the services of other regions may ask", async () => {
    for (const token of [tokens.admin, tokens.outsider]) {
      const { count } = await refusedEverywhere(token, 401, ({ route }) => route.access === "peer");
      assert.ok(count > 3, `${count}`);
    }
  });

  test("with a member's token: 403 for what is an administrator's", async () => {
    const isAdmins = ({ route }: RegisteredRoute): boolean => route.action.includes(":admin:");
    const { count } = await refusedEverywhere(tokens.member, 403, (each) => isOfProject(each) && isAdmins(each));
    assert.ok(count > 1, `${count}`);
  });
});

/** The rows that have anything to do with the first project or what is in it. */
const rowsOfFirst = (): string[] => {
  const words = [devProjectId, marker, ...Object.entries(ids).flatMap(([kind, id]) => (kind === "member" ? [] : [id]))];
  return dumpCatalog(folder).filter((row) => words.some((word) => row.includes(word)));
};

describe("the ids of another project's things", () => {
  test("are of no use, in paths and in bodies: nothing of theirs is told, changed or referred to", async () => {
    const before = rowsOfFirst();
    assert.ok(before.length > 10);
    const statuses: Record<string, number> = {};
    for (const registered of listRoutes(harness.app)) {
      const { route, path, dialect } = registered;
      if (route.access === "public" || /^\/(cbr|identity|v2)\//.test(path)) continue;
      const schema = route.schema.body as Schema | undefined;
      const bodies: (Uint8Array | undefined)[] =
        schema === undefined
          ? [undefined]
          : fc.sample(likeSchema(schema, "body", pool), { numRuns: 12, seed: 7 }).map((value) => Buffer.from(JSON.stringify(value) ?? ""));
      const query = route.method === "GET" ? `?vault_id=${ids["vault"]}&resource_id=${ids["volume"]}&all_tenants=1&all_projects=1` : "";
      for (const body of bodies) {
        const answer = await ask(route.method, fill(path, otherProjectId) + query, tokens.outsider, body);
        const told = `${route.method} ${path} ${String(body)} → ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.ok(answer.status < 500, told);
        assert.ok(!answer.text.includes(marker), told);
        if (answer.status >= 400) assertErrorShape(dialect, route.method, answer, told);
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      }
      assert.deepEqual(rowsOfFirst(), before, `${route.method} ${path}`);
    }
    // Some were right requests for nothing, or for things of the other project's own; many came as far as looking for what they named.
    const told = JSON.stringify(statuses);
    assert.ok((statuses[200] ?? 0) > 30 && (statuses[404] ?? 0) > 60 && (statuses[400] ?? 0) > 60, told);
  });
});

describe("a change of roles", () => {
  test("counts at once, for tokens that were given out before", async () => {
    const { identity } = harness.context.catalog;
    const demo = (await identity.findUser("default", "demo"))!;
    await identity.insertUser({ ...demo, id: "changed-id", name: "changed" });
    await identity.grantRole("changed-id", devProjectId, "member");
    const token = await harness.login("changed");
    const status = async (method = "DELETE") => (await ask(method, `/v3/${devProjectId}/vaults/${unknownId}`, token)).status;
    assert.deepEqual([await status(), await status("GET")], [404, 404]);
    await identity.grantRole("changed-id", devProjectId, "reader");
    await identity.revokeRole("changed-id", devProjectId, "member");
    assert.deepEqual([await status(), await status("GET")], [403, 404]);
    await identity.revokeRole("changed-id", devProjectId, "reader");
    assert.deepEqual([await status(), await status("GET")], [401, 401]);
    await identity.grantRole("changed-id", devProjectId, "member");
    assert.equal(await status(), 404);
    await identity.updateUser("changed-id", { enabled: false });
    assert.equal(await status("GET"), 401);
    await identity.updateUser("changed-id", { enabled: true });
    assert.equal(await status("GET"), 404);
    await identity.removeUser("changed-id");
    assert.equal(await status("GET"), 401);
  });
});
