import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { Client, connectionOf } from "./client.ts";
import { CommandError } from "./errors.ts";

test("the endpoint is --endpoint, else OS_AUTH_URL, else the development service", () => {
  assert.equal(connectionOf(undefined, {}).baseUrl, "http://127.0.0.1:8799");
  assert.equal(connectionOf(undefined, { OS_AUTH_URL: "https://cloud.example/identity/v3/" }).baseUrl, "https://cloud.example");
  assert.equal(connectionOf(undefined, { OS_AUTH_URL: "https://cloud.example/backup/v3" }).baseUrl, "https://cloud.example/backup");
  assert.equal(connectionOf("http://a:1", { OS_AUTH_URL: "http://b" }).baseUrl, "http://a:1");
  assert.throws(
    () => connectionOf("ftp://a", {}),
    (error: unknown) => error instanceof CommandError && error.exitCode === 2,
  );
});

test("who asks comes from the OS_ variables, else the development account", () => {
  const { userName, password, projectName, projectId } = connectionOf(undefined, { OS_USERNAME: "u", OS_PASSWORD: "p", OS_PROJECT_ID: "" });
  assert.deepEqual({ userName, password, projectName, projectId }, { userName: "u", password: "p", projectName: "demo", projectId: undefined });
});

test("a token that has run out is renewed once; a refusal carries the service's own words", async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers["x-auth-token"] ?? "")}`.trim());
    request.resume();
    if (request.url === "/v3/auth/tokens") {
      response.writeHead(201, { "x-subject-token": `t${seen.length}`, "content-type": "application/json" });
      response.end(JSON.stringify({ token: { project: { id: "p" }, expires_at: "" } }));
    } else if (request.url === "/v3/p/refused") {
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ error_code: "BackupService.6200", error_msg: "gone" }));
    } else if (request.headers["x-auth-token"] === "t1") response.writeHead(401).end();
    else response.writeHead(200).end(JSON.stringify({ ok: true }));
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const client = new Client(connectionOf(`http://127.0.0.1:${(server.address() as { port: number }).port}`, {}));
  assert.deepEqual(await client.cbr("GET", "things"), { ok: true });
  assert.deepEqual(seen, ["POST /v3/auth/tokens", "GET /v3/p/things t1", "POST /v3/auth/tokens", "GET /v3/p/things t3"]);
  await assert.rejects(client.cbr("GET", "refused"), /GET refused was refused with 404: gone \(BackupService\.6200\)/);
});
