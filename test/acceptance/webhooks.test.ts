/** Events and the audit log as their users meet them: the command line, a receiver of its own, a real service. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "../support/client.ts";
import { runCommand, startService } from "../support/service.ts";

test("a webhook that is added by command gets the end of a backup, signed; the audit log has who added it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-webhooks-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const got: { signature: string; body: string }[] = [];
  const receiver = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      got.push({ signature: String(request.headers["x-opencbr-signature"]), body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  t.after(() => (receiver.close(), receiver.closeAllConnections()));
  const service = await startService({ dataPath: join(folder, "data"), args: ["--webhook-allow", "127.0.0.1"] });
  t.after(() => service.kill());
  const run = (...args: string[]) => runCommand([...args, "--endpoint", service.baseUrl]);

  const refused = await run("webhook", "add", "https://192.168.0.1/hook");
  assert.match(refused.stderr, /webhook\.url: points to an address that webhooks may not be sent to/);
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const added = await run("webhook", "add", url, "--event", "task.success", "--json");
  assert.equal(added.code, 0, added.stderr);
  const { id, secret } = JSON.parse(added.stdout).webhook;
  const tested = await run("webhook", "test", id);
  assert.match(tested.stdout, /delivered: 204/, tested.stderr);

  const client = await Client.login(service.baseUrl);
  const volume = await client.newVolume("told");
  const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volume, name: "told" } });
  const told = await client.until("the event", async () => got.find(({ body }) => body.includes(backup.id)));
  const [, at, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(told.signature) ?? [];
  assert.equal(createHmac("sha256", secret).update(`${at}.${told.body}`).digest("hex"), mac);
  assert.equal(JSON.parse(told.body).data.task.backup.name, "told");
  await client.until("the delivery", async () => {
    const { deliveries } = await client.own("GET", "deliveries?status=delivered");
    return deliveries.length >= 2 ? true : undefined;
  });
  assert.match((await run("webhook", "deliveries")).stdout, /delivered +1 +204/);
  assert.match((await run("event", "list", "--type", "task.success")).stdout, /task\.success/);

  const audit = await run("audit", "list", "--since", "1h", "--user", "demo", "--operation", "CreateWebhook");
  const lines = audit.stdout.trim().split("\n");
  assert.equal(lines.length, 3, audit.stdout + audit.stderr);
  assert.match(lines[1] ?? "", /demo +127\.0\.0\.1 +CreateWebhook +\S+ +1 +200/);
  assert.match(lines[2] ?? "", / 400 +BackupService\.9900/);
  const all = await run("audit", "list", "--json");
  assert.doesNotMatch(all.stdout, new RegExp(secret));
  assert.equal((await run("audit", "list", "--since", "yesterday")).code, 2);
  assert.equal((await run("webhook", "remove", id)).code, 0);
  assert.equal(await service.stop(), 0);
});
