/** Whatever is sent to the listener: never a 5xx, always the dialect's own error, and the service goes on as if nothing had been. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { assertErrorShape, assertTellsNothing, type Dialect } from "../support/error-shape.ts";
import { Client, devProjectId } from "../support/client.ts";
import { encode, headerText, requestFor, type FuzzedOperation } from "../support/fuzz-request.ts";
import { nastyText, type Pool, type Schema } from "../support/schema-arbitrary.ts";
import { type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

interface Operation extends FuzzedOperation {
  dialect: Dialect;
  /** Of several paths to the same handler, the first. */
  isFirst: boolean;
}

let folder: string;
let service: Service;
let client: Client;
let pool: Pool;
let operations: Operation[];
/** What nobody is told the ids of, so that it must be unchanged in the end. */
let untouched: { backupId: string; shown: unknown; content: Uint8Array };
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

interface Raw {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** One request, its path sent as it is. */
function send(method: string, path: string, headers: Record<string, string>, body: Uint8Array | undefined): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(service.baseUrl);
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const request = httpRequest({ method, hostname, port, path, agent, headers: { ...headers, ...length } }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(pieces).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

interface DescribedOperation {
  tags: Dialect[];
  operationId: string;
  parameters: { name: string; in: string }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
}

async function readOperations(): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${service.baseUrl}/openapi.json`)).json()) as { paths: Record<string, Record<string, DescribedOperation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { tags, operationId, parameters, requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      dialect: tags[0]!,
      parameters,
      body: requestBody?.content["application/json"].schema,
      isFirst: !/_\d+$/.test(operationId),
    })),
  );
}

/** Something of every kind, so that ids are found. */
async function furnish(): Promise<Record<string, string[]>> {
  const [one, two, kept] = [await client.newVolume("one"), await client.newVolume("two"), await client.newVolume("kept")];
  const content = randomBytes(MiB);
  await client.write(kept, 0, content, GiB);
  await client.write(one, 0, randomBytes(MiB), GiB);
  const [vault, keptVault] = [await client.newVault("vault"), await client.newVault("kept-vault")];
  await client.bind(vault, one);
  await client.bind(keptVault, kept);
  const [[backup], [keptBackup]] = [await client.checkpoint(vault), await client.checkpoint(keptVault)];
  const { snapshot } = await client.volume("POST", "snapshots", { snapshot: { volume_id: two, name: "snap", force: true } });
  const { resource } = await client.own("POST", "resources", {
    resource: { type: "OS::Nova::Server", name: "server", disks: [{ volume_id: two, system_disk: true }] },
  });
  const tasks = (await client.cbr("GET", "operation-logs")).operation_logs.map((task: { id: string }) => task.id);
  untouched = { backupId: keptBackup.id, shown: keptBackup, content };
  return {
    volume: [one, two],
    vault: [vault],
    backup: [backup.id],
    checkpoint: [backup.checkpoint_id],
    snapshot: [snapshot.id],
    resource: [resource.id, one, two],
    operation_log: tasks,
  };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-fuzz-"));
  const sources = join(folder, "sources");
  mkdirSync(sources);
  writeFileSync(join(sources, "disk.raw"), randomBytes(MiB));
  service = await startService({ dataPath: join(folder, "data"), args: ["--source-roots", sources] });
  client = await Client.login(service.baseUrl);
  const ids = await furnish();
  pool = { ids: { ...ids, "": Object.values(ids).flat() } };
  operations = await readOperations();
});
after(async () => {
  agent.destroy();
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** After whatever was sent: it answers, it logged no defect, and what was not named is as it was. */
async function assertUnharmed(): Promise<void> {
  const ready = await fetch(`${service.baseUrl}/readyz`);
  assert.equal(ready.status, 200);
  await ready.body?.cancel();
  assert.doesNotMatch(service.errors(), /"level":(50|60)/, "a defect was logged");
  const again = await Client.login(service.baseUrl, "admin", "opencbr-admin");
  assert.deepEqual(await again.backup(untouched.backupId), untouched.shown);
  const bytes = await again.read(`backups/${untouched.backupId}/data`, 0, MiB);
  assert.ok(Buffer.from(bytes).equals(untouched.content));
}

/** Sends `runs` requests; tells how often each status came. */
async function attack(operation: Operation, runs: number): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  await fc.assert(
    fc.asyncProperty(requestFor(operation, pool, devProjectId), async ({ path, headers, body }) => {
      const answer = await send(operation.method, path, { "x-auth-token": client.token, ...headers }, body);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      const told = `${operation.method} ${path} → ${answer.status} ${answer.text.slice(0, 500)}`;
      assert.ok(answer.status >= 200 && answer.status < 500, told);
      assertTellsNothing(answer, [folder], told);
      if (answer.status >= 400) assertErrorShape(operation.dialect, operation.method, answer, told);
    }),
    { numRuns: runs, seed: 20_260_101 },
  );
  return statuses;
}

describe("every operation of the API, with requests that are nearly right", () => {
  for (const dialect of ["identity", "cbr", "cinder", "vbs", "opencbr"] as const) {
    test(dialect, async () => {
      // Deletions come last, so that what the others need is there.
      const own = operations
        .filter((operation) => operation.dialect === dialect)
        .sort((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"));
      assert.ok(own.length >= 5, `${own.length} operations`);
      const total: Record<number, number> = {};
      for (const operation of own) {
        const runs = operation.isFirst ? (operation.body === undefined ? 25 : 80) : 4;
        for (const [status, count] of Object.entries(await attack(operation, runs))) total[Number(status)] = (total[Number(status)] ?? 0) + count;
      }
      const seen = Object.keys(total).map(Number);
      assert.ok(seen.some((status) => status < 300) && seen.some((status) => status >= 400), JSON.stringify(total));
      await assertUnharmed();
    });
  }
});

describe("what is no request of the API", () => {
  test("paths and methods that there are not, in the shape of whoever would be there", async () => {
    const prefixes: [string, Dialect][] = [
      ["/v3/auth", "identity"],
      ["/identity/v3", "identity"],
      [`/v3/${devProjectId}`, "cbr"],
      [`/cbr/v3/${devProjectId}`, "cbr"],
      [`/volume/v3/${devProjectId}`, "cinder"],
      [`/volume/v2/${devProjectId}`, "cinder"],
      [`/v2/${devProjectId}`, "cinder"],
      [`/opencbr/v1/${devProjectId}`, "opencbr"],
      ["/nowhere", "cbr"],
    ];
    const wrong = fc.tuple(
      fc.constantFrom(...prefixes),
      fc.array(nastyText.filter((text) => text !== "").map(encode), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "QUERY"),
    );
    await fc.assert(
      fc.asyncProperty(wrong, async ([[prefix, dialect], parts, method]) => {
        const path = `${prefix}/no-such-thing/${parts.join("/")}`;
        const answer = await send(method, path, { "x-auth-token": client.token }, undefined);
        const told = `${method} ${path} → ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.ok(answer.status >= 400 && answer.status < 500, told);
        assertErrorShape(dialect, method, answer, told);
      }),
      { numRuns: 300, seed: 20_260_102 },
    );
    await assertUnharmed();
  });

  test("tokens that are none: 401 everywhere but where nobody is asked", async () => {
    const forged = fc.oneof(
      headerText,
      fc
        .constant(client.token)
        .chain((token) => fc.nat(token.length - 1).map((at) => token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1))),
      fc.constant(client.token.slice(0, -5)),
      fc.constantFrom("a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."),
    );
    const guarded = operations.filter(({ path, method }) => path.includes("{project_id}") && method !== "HEAD");
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...guarded), forged, async (operation, token) => {
        const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => (name === "project_id" ? devProjectId : "x"));
        const answer = await send(operation.method, path, { "x-auth-token": token, "content-type": "application/json" }, undefined);
        const told = `${operation.method} ${path} ${JSON.stringify(token)} → ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.equal(answer.status, 401, told);
        assertErrorShape(operation.dialect, operation.method, answer, told);
      }),
      { numRuns: 300, seed: 20_260_103 },
    );
    await assertUnharmed();
  });

  test("signatures that are none", async () => {
    const parts = fc.tuple(
      fc.constantFrom("DEVACCESSKEY00000001", "NOBODY", "", "a".repeat(3000)),
      fc.oneof(fc.constantFrom("host;x-sdk-date", "", ";;;", "authorization", "x".repeat(3000)), headerText),
      fc.oneof(fc.constantFrom("0".repeat(64), "", "zz"), headerText),
    );
    const header = fc.oneof(
      parts.map(([key, signed, signature]) => `SDK-HMAC-SHA256 Access=${key}, SignedHeaders=${signed}, Signature=${signature}`),
      headerText.filter((text) => text.trim() !== ""),
    );
    const date = fc.constantFrom("20260101T000000Z", "", "now", "99999999T999999Z");
    await fc.assert(
      fc.asyncProperty(header, date, async (authorization, sdkDate) => {
        const answer = await send("GET", `/v3/${devProjectId}/backups`, { authorization, "x-sdk-date": sdkDate }, undefined);
        const told = `${authorization} → ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.equal(answer.status, 401, told);
        assertErrorShape("cbr", "GET", answer, told);
      }),
      { numRuns: 150, seed: 20_260_104 },
    );
    await assertUnharmed();
  });
});

/** Writes the bytes, piece by piece, to a connection of its own; gives what came back until it closed or `ms` were over. */
async function speak(pieces: readonly (string | Uint8Array)[], ms = 400): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(service.baseUrl).port) });
  let heard = "";
  socket.on("data", (data) => (heard += data.toString("latin1")));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // A connection that is cut while we still write is a right answer to nonsense.
  socket.on("error", () => socket.destroy());
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await delay(5);
  }
  await Promise.race([closed, delay(ms)]);
  socket.destroy();
  return heard;
}

describe("bytes that are hardly HTTP", () => {
  const head = (line: string, ...headers: string[]): string => `${[line, "Host: x", ...headers].join("\r\n")}\r\n\r\n`;
  const backups = `/v3/${devProjectId}/backups`;
  const bad: Record<string, (string | Uint8Array)[]> = {
    nothing: [""],
    "a TLS hello": [Buffer.from("16030100f4010000f00303", "hex"), randomBytes(200)],
    "a strange version": [head("GET / HTTP/9.9")],
    "a strange method": [head("BREW /coffee HTTP/1.1")],
    "a path with NUL": [head("GET /\0 HTTP/1.1")],
    "no path": [head("GET  HTTP/1.1")],
    "a header without a colon": [head("GET / HTTP/1.1", "nonsense")],
    "a header that is folded": [head("GET / HTTP/1.1", "a: b", " c")],
    "no host": ["GET / HTTP/1.1\r\n\r\n"],
    "a header of 100 kB": [head("GET / HTTP/1.1", `x: ${"y".repeat(100_000)}`)],
    "5000 headers": [head("GET / HTTP/1.1", ...Array.from({ length: 5000 }, (_, n) => `x-${n}: 1`))],
    "a path of 100 kB": [head(`GET /${"z".repeat(100_000)} HTTP/1.1`)],
    "a negative length": [head(`POST ${backups} HTTP/1.1`, "Content-Length: -1"), "x"],
    "two lengths": [head(`POST ${backups} HTTP/1.1`, "Content-Length: 1", "Content-Length: 2"), "xx"],
    "a length and chunks": [head(`POST ${backups} HTTP/1.1`, "Content-Length: 5", "Transfer-Encoding: chunked"), "0\r\n\r\n"],
    "chunks of no size": [head("POST /v3/auth/tokens HTTP/1.1", "Transfer-Encoding: chunked"), "zz\r\nhello\r\n"],
    "a chunk of a huge size": [head("POST /v3/auth/tokens HTTP/1.1", "Transfer-Encoding: chunked"), "ffffffffffffffff\r\nhello\r\n"],
    "a transfer coding of its own": [head("POST /v3/auth/tokens HTTP/1.1", "Transfer-Encoding: rot13"), "uryyb"],
  };

  test("are refused, or the connection is closed", async () => {
    for (const [name, pieces] of Object.entries(bad)) {
      const heard = await speak(pieces);
      assert.ok(heard === "" || /^HTTP\/1\.1 4\d\d /.test(heard), `${name}: ${heard.slice(0, 200)}`);
      assert.doesNotMatch(heard, /\n\s+at |node:/, name);
    }
    await assertUnharmed();
  });

  test("a body that never ends, or ends too early, holds up nobody else", async () => {
    const token = `X-Auth-Token: ${client.token}`;
    const open = [
      [head("POST /v3/auth/tokens HTTP/1.1", "Content-Length: 1000"), '{"auth":'],
      [head(`POST /v3/${devProjectId}/vaults HTTP/1.1`, token, "Content-Length: 500"), "{", '"', "v"],
      [head(`PUT /opencbr/v1/${devProjectId}/volumes/x/data HTTP/1.1`, token, "Content-Length: 9000000"), randomBytes(1000)],
      [head("POST /v3/auth/tokens HTTP/1.1", "Transfer-Encoding: chunked"), "5\r\nhel"],
      ["GET / HT"],
    ];
    const vaults = (await client.cbr("GET", "vaults")).count;
    const speaking = Promise.all(Array.from({ length: 40 }, (_, n) => speak(open[n % open.length]!, 700)));
    await client.cbr("GET", "backups");
    for (const heard of await speaking) assert.doesNotMatch(heard, /^HTTP\/1\.1 5/);
    assert.equal((await client.cbr("GET", "vaults")).count, vaults);
    await assertUnharmed();
  });

  test("random bytes after a good beginning", async () => {
    const beginnings = [
      "",
      "GET ",
      "GET /\r\n\r\n",
      "POST /v3/auth/tokens HTTP/1.1\r\n",
      head("POST /v3/auth/tokens HTTP/1.1", "Content-Length: 64"),
      head("POST /v3/auth/tokens HTTP/1.1", "Transfer-Encoding: chunked"),
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...beginnings), fc.uint8Array({ minLength: 1, maxLength: 200 }), async (beginning, bytes) => {
        assert.doesNotMatch(await speak([beginning, bytes], 60), /^HTTP\/1\.1 5/);
      }),
      { numRuns: 30, seed: 20_260_105 },
    );
    await assertUnharmed();
  });

  test("a body that is larger than it may be", async () => {
    const large = Buffer.alloc(2 * MiB, " ");
    for (const [path, dialect] of [
      ["/v3/auth/tokens", "identity"],
      [`/v3/${devProjectId}/vaults`, "cbr"],
      [`/volume/v3/${devProjectId}/backups`, "cinder"],
      [`/volume/v2/${devProjectId}/backups`, "vbs"],
      [`/opencbr/v1/${devProjectId}/resources`, "opencbr"],
    ] as const) {
      const answer = await send("POST", path, { "x-auth-token": client.token, "content-type": "application/json" }, large);
      assert.equal(answer.status, 413, path);
      assertErrorShape(dialect, "POST", answer, `${path} ${answer.text}`);
    }
    await assertUnharmed();
  });
});
