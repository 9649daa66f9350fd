import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "#platform/log.ts";
import { startApp } from "./app.ts";
import { readSettings } from "./config.ts";

test("a start that fails closes what it opened and makes no accounts; the next one is the first start, the one after is not", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-app-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const blocker = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => blocker.once("listening", resolve));
  const { port } = blocker.address() as { port: number };
  const start = (at: number) => startApp(readSettings({ data: folder, port: String(at), lanes: "1" }, {}).settings, { version: "0", log: silentLog });
  await assert.rejects(start(port), { code: "EADDRINUSE" });
  blocker.close();

  const first = await start(0);
  assert.equal(first.firstStart?.users.length, 2);
  assert.equal((await fetch(`${first.baseUrl}/healthz`)).status, 200);
  const { nodeId } = first.context.settings;
  await first.stop();
  await assert.rejects(fetch(`${first.baseUrl}/healthz`));

  const second = await start(0);
  assert.equal(second.firstStart, undefined);
  assert.equal(second.context.settings.nodeId, nodeId);
  await second.stop();
});

test("a role file that is wrong keeps the service from starting, and says where", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-app-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "roles.json");
  const start = () =>
    startApp(readSettings({ data: join(folder, "data"), port: "0", lanes: "1", rolesFile: file }, {}).settings, { version: "0", log: silentLog });
  await assert.rejects(start(), /roles\.json cannot be used: ENOENT/);
  writeFileSync(file, "{");
  await assert.rejects(start(), /roles\.json cannot be used: it is no JSON/);
  writeFileSync(file, '{"roles":{"operator":{"allow":["cbr:*"]}}}');
  await assert.rejects(start(), /roles\.operator\.allow\[0\] must be such as/);
  writeFileSync(file, '{"roles":{"operator":{"allow":["cbr:*:list*"]}}}');
  const app = await start();
  assert.deepEqual(app.context.roles?.names, ["admin", "member", "reader", "operator"]);
  await app.stop();
});
