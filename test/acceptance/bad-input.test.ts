/** Wrong requests, one by one: the status, the dialect's own error that names the field, and nothing made of any of them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openCatalog } from "#catalog/open.ts";
import { assertErrorShape, type Dialect } from "../support/error-shape.ts";
import { Client, devProjectId } from "../support/client.ts";
import { type Service, startService } from "../support/service.ts";

const otherProjectId = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const unknown = "11111111-2222-4333-8444-555555555555";
let folder: string;
let service: Service;
let client: Client;
let other: Client;
/** Of the other project. */
let theirs: { volume: string; vault: string; backup: string; checkpoint: string; snapshot: string; task: string };
let mine: { volume: string; vault: string };

async function furnish(by: Client) {
  const volume = await by.newVolume("disk");
  const vault = await by.newVault("vault");
  await by.bind(vault, volume);
  const [backup] = await by.checkpoint(vault);
  const { snapshot } = await by.volume("POST", "snapshots", { snapshot: { volume_id: volume } });
  const [task] = (await by.cbr("GET", "operation-logs")).operation_logs;
  return {
    volume,
    vault,
    backup: backup.id as string,
    checkpoint: backup.checkpoint_id as string,
    snapshot: snapshot.id as string,
    task: task.id as string,
  };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-bad-"));
  const dataPath = join(folder, "data");
  await (await startService({ dataPath })).stop();
  // There is no way to make a project over HTTP yet.
  const catalog = await openCatalog({ path: join(dataPath, "catalog.sqlite") });
  const user = await catalog.identity.findUser("default", "demo");
  assert.ok(user);
  await catalog.identity.insertProject({ id: otherProjectId, domainId: "default", name: "other", description: "", enabled: true });
  await catalog.identity.grantRole(user.id, otherProjectId, "member");
  await catalog.close();
  service = await startService({ dataPath });
  client = await Client.login(service.baseUrl);
  other = await Client.login(service.baseUrl, "demo", "opencbr-demo", otherProjectId);
  theirs = await furnish(other);
  mine = { volume: await client.newVolume("mine"), vault: await client.newVault("mine") };
});
after(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything that the project has, to be the same afterwards. */
async function everything(by: Client): Promise<unknown> {
  const lists = [];
  for (const path of ["vaults", "backups", "operation-logs"]) lists.push(await by.cbr("GET", path));
  for (const path of ["volumes/detail", "backups/detail", "snapshots/detail"]) lists.push(await by.volume("GET", path));
  return [...lists, await by.own("GET", "resources")];
}

/** One wrong request: what it must be answered with. `text` is sent as it is. */
interface Wrong {
  dialect: Dialect;
  method: string;
  path: string;
  body?: unknown;
  text?: string;
  status: number;
  says: RegExp;
}

async function refuse({ dialect, method, path, body, text, status, says }: Wrong, token = client.token): Promise<Headers> {
  const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await fetch(service.baseUrl + path, {
    method,
    headers: { ...(token === "" ? {} : { "x-auth-token": token }), "content-type": "application/json" },
    ...(payload === undefined ? {} : { body: payload }),
  });
  const heard = await answer.text();
  const told = `${method} ${path} ${(payload ?? "").slice(0, 200)} → ${answer.status} ${heard}`;
  assert.equal(answer.status, status, told);
  assertErrorShape(dialect, method, { status, headers: Object.fromEntries(answer.headers), text: heard }, told);
  assert.match(heard, says, told);
  return answer.headers;
}

const cbr = (path: string): string => `/v3/${devProjectId}/${path}`;
const volume = (path: string): string => `/volume/v3/${devProjectId}/${path}`;
const vbs = (path: string): string => `/volume/v2/${devProjectId}/${path}`;
const own = (path: string): string => `/opencbr/v1/${devProjectId}/${path}`;
const billing = { size: 10, object_type: "disk", protect_type: "backup", consistent_level: "crash_consistent" };
const vault = (more: object, moreBilling: object = {}) => ({ vault: { name: "v", resources: [], billing: { ...billing, ...moreBilling }, ...more } });

describe("one wrong thing in a request", () => {
  const bodies = (dialect: Dialect, path: string): Wrong[] =>
    ["{", "", "nonsense", '{"a":1,}', "[]", "null", "7", '"text"', "\u0000"].map((text) => ({
      dialect,
      method: "POST",
      path,
      text,
      status: 400,
      says: /body|required|expected/i,
    }));
  const long = "n".repeat(65);
  const vaults: [object, RegExp][] = [
    [vault({ name: "" }), /vault\.name/],
    [vault({ name: long }), /vault\.name/],
    [vault({ name: "a b" }), /vault\.name/],
    [vault({ name: "<x>" }), /vault\.name/],
    [vault({ name: "a\u0000" }), /vault\.name/],
    [vault({ name: 5 }), /vault\.name/],
    [vault({ name: null }), /vault\.name/],
    [vault({ name: ["x"] }), /vault\.name/],
    [vault({ description: "d".repeat(256) }), /vault\.description/],
    [vault({ resources: {} }), /vault\.resources/],
    [vault({ resources: [{ id: "x" }] }), /vault\.resources.0.type/],
    [vault({ resources: [{ id: unknown, type: "OS::Tape" }] }), /vault\.resources\[0\]\.type/],
    [vault({}, { size: -1 }), /vault\.billing\.size/],
    [vault({}, { size: 0 }), /vault\.billing\.size/],
    [vault({}, { size: 1.5 }), /vault\.billing\.size/],
    [vault({}, { size: "10" }), /vault\.billing\.size/],
    [vault({}, { size: 1e12 }), /vault\.billing\.size/],
    [vault({}, { object_type: "tape" }), /vault\.billing\.object_type/],
    [vault({}, { protect_type: "magic" }), /vault\.billing\.protect_type/],
    [vault({ tags: [{ key: "" }] }), /vault\.tags/],
    [vault({ threshold: 101 }), /vault\.threshold/],
  ];

  test("CBR", async () => {
    const before = await everything(client);
    for (const wrong of [...bodies("cbr", cbr("vaults")), ...bodies("cbr", cbr("checkpoints"))]) await refuse(wrong);
    for (const [body, says] of vaults) await refuse({ dialect: "cbr", method: "POST", path: cbr("vaults"), body, status: 400, says });
    for (const query of [
      "limit=-1",
      "limit=0",
      "limit=x",
      "offset=-1",
      "offset=1.5",
      "offset=99999999999",
      "start_time=yesterday",
      "incremental=perhaps",
      "used_percent=500",
    ])
      await refuse({
        dialect: "cbr",
        method: "GET",
        path: cbr(`backups?${query}`),
        status: 400,
        says: new RegExp(`"error_msg":"${query.split("=")[0]}`),
      });
    for (const query of ["limit=-1", "offset=-5"]) {
      await refuse({ dialect: "cbr", method: "GET", path: cbr(`vaults?${query}`), status: 400, says: /limit|offset/ });
      await refuse({ dialect: "cbr", method: "GET", path: cbr(`operation-logs?${query}`), status: 400, says: /limit|offset/ });
    }
    const checkpoint = (parameters: object) => ({ checkpoint: { vault_id: mine.vault, parameters } });
    await refuse({
      dialect: "cbr",
      method: "POST",
      path: cbr("checkpoints"),
      body: checkpoint({ name: long }),
      status: 400,
      says: /parameters\.name/,
    });
    await refuse({
      dialect: "cbr",
      method: "POST",
      path: cbr("checkpoints"),
      body: checkpoint({ retention_duration: -7 }),
      status: 400,
      says: /retention_duration/,
    });
    await refuse({
      dialect: "cbr",
      method: "POST",
      path: cbr("checkpoints"),
      body: checkpoint({ incremental: "x" }),
      status: 400,
      says: /incremental/,
    });
    assert.deepEqual(await everything(client), before);
  });

  test("Block Storage, VBS and our own", async () => {
    const before = await everything(client);
    for (const [dialect, at] of [
      ["cinder", volume],
      ["vbs", vbs],
    ] as const) {
      for (const wrong of [...bodies(dialect, at("backups")), ...bodies(dialect, at("volumes"))]) await refuse(wrong);
      const backups: [object, number, RegExp][] = [
        [{ backup: {} }, 400, /volume_id/],
        [{ backup: { volume_id: 7 } }, 400, /volume_id/],
        [{ backup: { volume_id: unknown } }, 404, new RegExp(unknown)],
        [{ backup: { volume_id: mine.volume, name: "n".repeat(256) } }, 400, /backup\.name/],
        [{ backup: { volume_id: mine.volume, name: ["x"] } }, 400, /backup\.name/],
        [{ backup: { volume_id: mine.volume, description: 5 } }, 400, /backup\.description/],
        [{ backup: { volume_id: mine.volume, incremental: "perhaps" } }, 400, /incremental/],
        [{ backup: { volume_id: mine.volume, snapshot_id: unknown } }, 404, new RegExp(unknown)],
      ];
      for (const [body, status, says] of backups) await refuse({ dialect, method: "POST", path: at("backups"), body, status, says });
      for (const size of [-1, 0, 1.5, "x", 70_000, 1e300, [], null])
        await refuse({ dialect, method: "POST", path: at("volumes"), body: { volume: { name: "v", size } }, status: 400, says: /size/ });
      await refuse({ dialect, method: "POST", path: at("volumes"), body: { volume: { size: 1, name: "a\u0007b" } }, status: 400, says: /name/ });
      await refuse({
        dialect,
        method: "POST",
        path: at("volumes"),
        body: { volume: { size: 1, availability_zone: "a b" } },
        status: 400,
        says: /availability_zone/,
      });
      for (const list of ["backups", "backups/detail", "volumes", "volumes/detail"])
        for (const query of ["limit=-1", "limit=x", "offset=-1", "sort=nothing:asc", "sort_key=id;drop"])
          await refuse({ dialect, method: "GET", path: at(`${list}?${query}`), status: 400, says: /limit|offset|sort/ });
      await refuse({
        dialect,
        method: "POST",
        path: at(`volumes/${mine.volume}/action`),
        body: { "os-extend": { new_size: -2 } },
        status: 400,
        says: /new_size/,
      });
      for (const query of ["limit=-1", "offset=-1"])
        await refuse({ dialect, method: "GET", path: at(`snapshots/detail?${query}`), status: 400, says: /limit|offset/ });
      await refuse({ dialect, method: "PATCH", path: at("backups"), body: {}, status: 405, says: /badMethod/ });
    }
    for (const wrong of bodies("opencbr", own("resources"))) await refuse(wrong);
    assert.deepEqual(await everything(client), before);
  });

  test("identity", async () => {
    const path = "/v3/auth/tokens";
    for (const wrong of bodies("identity", path)) await refuse(wrong);
    const user = { name: "demo", domain: { id: "default" }, password: "opencbr-demo" };
    const auth = (identity: object, scope?: unknown) => ({ auth: { identity, ...(scope === undefined ? {} : { scope }) } });
    const cases: [object, number, RegExp][] = [
      [auth({}), 400, /methods/],
      [auth({ methods: [] }), 400, /methods/],
      [auth({ methods: ["password"] }), 400, /password/],
      [auth({ methods: ["password"], password: { user: { ...user, password: 5 } } }), 400, /password/],
      [auth({ methods: ["password"], password: { user: { name: "demo", password: "x" } } }), 400, /domain/],
      [auth({ methods: ["password"], password: { user } }, { project: {} }), 400, /project/],
      [auth({ methods: ["password"], password: { user } }, "everything"), 400, /scope/],
      [auth({ methods: ["password"], password: { user } }, { project: { id: unknown } }), 401, /Unauthorized/],
      [auth({ methods: ["password"], password: { user: { ...user, password: "wrong" } } }), 401, /Unauthorized/],
      [auth({ methods: ["token"], token: { id: "garbage" } }), 401, /Unauthorized/],
    ];
    for (const [body, status, says] of cases) await refuse({ dialect: "identity", method: "POST", path, body, status, says }, "");
  });
});

describe("ids that are not there, or not ours", () => {
  /** Every operation on one thing, by the ids given. */
  const operations = (ids: typeof theirs): Omit<Wrong, "status" | "says">[] => [
    ...["GET", "DELETE"].flatMap((method) => [
      { dialect: "cbr" as const, method, path: cbr(`vaults/${ids.vault}`) },
      { dialect: "cbr" as const, method, path: cbr(`backups/${ids.backup}`) },
      ...(
        [
          ["cinder", volume],
          ["vbs", vbs],
        ] as const
      ).flatMap(([dialect, at]) =>
        [`backups/${ids.backup}`, `volumes/${ids.volume}`, `snapshots/${ids.snapshot}`].map((path) => ({ dialect, method, path: at(path) })),
      ),
      { dialect: "opencbr" as const, method, path: own(`resources/${ids.volume}`) },
    ]),
    { dialect: "cbr", method: "GET", path: cbr(`checkpoints/${ids.checkpoint}`) },
    { dialect: "cbr", method: "GET", path: cbr(`operation-logs/${ids.task}`) },
    { dialect: "cbr", method: "POST", path: cbr(`operation-logs/${ids.task}/cancel`) },
    { dialect: "opencbr", method: "POST", path: own(`tasks/${ids.task}/cancel`) },
    { dialect: "cbr", method: "POST", path: cbr(`backups/${ids.backup}/restore`), body: { restore: { volume_id: mine.volume } } },
    { dialect: "cinder", method: "POST", path: volume(`backups/${ids.backup}/restore`), body: { restore: { volume_id: mine.volume } } },
    { dialect: "cbr", method: "POST", path: cbr("checkpoints"), body: { checkpoint: { vault_id: ids.vault } } },
    {
      dialect: "cbr",
      method: "POST",
      path: cbr(`vaults/${ids.vault}/addresources`),
      body: { resources: [{ id: mine.volume, type: "OS::Cinder::Volume" }] },
    },
    {
      dialect: "cbr",
      method: "POST",
      path: cbr(`vaults/${mine.vault}/addresources`),
      body: { resources: [{ id: ids.volume, type: "OS::Cinder::Volume" }] },
    },
    { dialect: "cinder", method: "POST", path: volume("backups"), body: { backup: { volume_id: ids.volume } } },
    { dialect: "cinder", method: "POST", path: volume("volumes"), body: { volume: { backup_id: ids.backup } } },
    { dialect: "cinder", method: "POST", path: volume("volumes"), body: { volume: { snapshot_id: ids.snapshot } } },
    { dialect: "cinder", method: "POST", path: volume("volumes"), body: { volume: { source_volid: ids.volume } } },
    { dialect: "cinder", method: "PUT", path: volume(`volumes/${ids.volume}`), body: { volume: { name: "taken" } } },
    { dialect: "opencbr", method: "GET", path: own(`backups/${ids.backup}/data`) },
    { dialect: "opencbr", method: "GET", path: own(`volumes/${ids.volume}/data`) },
    { dialect: "opencbr", method: "GET", path: own(`volumes/${ids.volume}/extents`) },
  ];

  test("another project's ids on our path, unknown ones, and what is no id: 404, and nothing happens to either project", async () => {
    const before = [await everything(client), await everything(other)];
    const none = (id: string) => ({ volume: id, vault: id, backup: id, checkpoint: id, snapshot: id, task: id });
    for (const ids of [theirs, none(unknown)]) for (const operation of operations(ids)) await refuse({ ...operation, status: 404, says: /./ });
    // In a path, what is no id is not found; in a body it may be told as malformed, by its field.
    for (const operation of operations(none("no-such-id")))
      await refuse({ ...operation, status: operation.path === volume("backups") ? 400 : 404, says: /volume_id|no|not/ });
    assert.deepEqual([await everything(client), await everything(other)], before);
  });

  test("our token on another project's path: 403 everywhere", async () => {
    const before = await everything(other);
    for (const { path, ...operation } of operations(theirs))
      await refuse({ ...operation, path: path.replace(devProjectId, otherProjectId), status: 403, says: /project_id/ });
    assert.deepEqual(await everything(other), before);
  });

  test("no token: 401 everywhere, with what makes clients log in again", async () => {
    for (const operation of operations(theirs)) {
      const headers = await refuse({ ...operation, status: 401, says: /authentication/i }, "");
      assert.equal(headers.get("www-authenticate"), `Keystone uri="${service.baseUrl}/identity/v3"`);
    }
  });
});
