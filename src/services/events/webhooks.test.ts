import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { systemClock } from "#platform/clock.ts";
import { makeWorld, manualClock } from "../../../test/support/world.ts";
import type { World } from "../../../test/support/world.ts";
import { createWebhook } from "./createWebhook.ts";
import { deliverDue, maxAttempts } from "./deliverDue.ts";
import { listDeliveries } from "./listDeliveries.ts";
import { noteEvent } from "./noteEvent.ts";
import { removeWebhook } from "./removeWebhook.ts";
import { retryDelivery } from "./retryDelivery.ts";
import { sendWebhook } from "./sendWebhook.ts";
import { testWebhook } from "./testWebhook.ts";
import { updateWebhook } from "./updateWebhook.ts";
import { isAllowedTarget, isPublicAddress, mayReach, readWebhookUrl, webhookRules } from "./webhookTarget.ts";

interface Got {
  headers: IncomingHttpHeaders;
  url: string;
  body: string;
}

const clock = manualClock();
let world: World;
let server: Server;
let port: number;
let got: Got[] = [];
/** What the server answers, in turn; then 200. */
let answers: (number | "redirect" | "cut")[] = [];

before(async () => {
  world = await makeWorld({ clock });
  world.context.settings.webhookAllow = ["127.0.0.1"];
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      got.push({ headers: request.headers, url: request.url ?? "", body });
      const answer = answers.shift() ?? 200;
      if (answer === "cut") return request.socket.destroy();
      if (answer === "redirect") return response.writeHead(307, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
      return response.writeHead(answer).end("thanks");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await world.close();
});

const page = { limit: 100, offset: 0 };
const deliveriesOf = async (caller: Caller) => (await listDeliveries(world.context, caller, {}, page)).items;

async function happen(caller: Caller, type: "task.success" | "task.failed" | "vault.nearly_full" = "task.failed"): Promise<string> {
  const id = world.context.random.uuid();
  await world.catalog.transaction((tables) => noteEvent(tables, { id, projectId: caller.projectId, type, data: { n: 1 }, createdAt: clock.nowUs() }));
  return id;
}

async function withWebhook(more: Partial<Parameters<typeof createWebhook>[2]> = {}) {
  got = [];
  answers = [];
  const caller = await world.newCaller();
  const made = await createWebhook(world.context, caller, { url: `http://127.0.0.1:${port}/hook?a=b`, ...more });
  return { caller, ...made };
}

describe("a webhook", () => {
  test("gets the events that it wants, signed, once", async () => {
    const { caller, secret } = await withWebhook({ events: ["task.*"] });
    assert.match(secret, /^whsec_[A-Za-z0-9_-]{43}$/);
    const id = await happen(caller);
    await happen(caller, "vault.nearly_full");
    await happen(await world.newCaller());
    assert.equal(await deliverDue(world.context), 1);
    assert.equal(await deliverDue(world.context), 0);
    const [request, ...more] = got;
    assert.ok(request !== undefined && more.length === 0);
    const event = JSON.parse(request.body);
    assert.deepEqual([event.id, event.type, event.project_id, event.region, event.data], [id, "task.failed", caller.projectId, "r1", { n: 1 }]);
    assert.equal(request.url, "/hook?a=b");
    assert.equal(request.headers["x-opencbr-event"], "task.failed");
    assert.equal(request.headers["x-opencbr-event-id"], id);
    assert.equal(request.headers.host, `127.0.0.1:${port}`);
    const [, t = "", v1 = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers["x-opencbr-signature"])) ?? [];
    assert.equal(v1, createHmac("sha256", secret).update(`${t}.${request.body}`).digest("hex"));
    assert.ok(Math.abs(Number(t) - clock.nowUs() / 1e6) < 5);
    const [delivery] = await deliveriesOf(caller);
    assert.deepEqual([delivery?.status, delivery?.attempts, delivery?.lastStatus], ["delivered", 1, 200]);
  });

  test("that fails is tried again, later and later, and given up; a retry begins anew", async () => {
    const { caller, webhook } = await withWebhook();
    answers = [500, "redirect", "cut", ...Array.from({ length: maxAttempts - 3 }, () => 404)];
    await happen(caller);
    const seen: [string, number, number | null, string | null][] = [];
    const waited: number[] = [];
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      assert.equal(await deliverDue(world.context), 1);
      assert.equal(await deliverDue(world.context), 0, "not before its time");
      const [delivery] = await deliveriesOf(caller);
      seen.push([delivery!.status, delivery!.attempts, delivery!.lastStatus, delivery!.lastError]);
      const waitMs = Math.ceil((delivery!.nextAttemptAt - clock.nowUs()) / 1000);
      if (delivery!.status === "pending") waited.push(waitMs);
      clock.advance(Math.max(0, waitMs) + 1);
    }
    assert.deepEqual(seen.slice(0, 3), [
      ["pending", 1, 500, null],
      ["pending", 2, 307, null],
      ["pending", 3, null, "the connection was cut"],
    ]);
    assert.deepEqual(seen.at(-1), ["dead", maxAttempts, 404, null]);
    assert.ok(
      got.every(({ url }) => url === "/hook?a=b"),
      "no redirect was followed",
    );
    waited.forEach((ms, index) =>
      assert.ok(ms >= Math.min(3600, 10 * 2 ** index) * 990 && ms <= Math.min(3600, 10 * 2 ** index) * 1210, `${index} ${ms}`),
    );
    assert.equal(await deliverDue(world.context), 0);
    const [dead] = await deliveriesOf(caller);
    await retryDelivery(world.context, caller, { deliveryId: dead!.id });
    assert.equal(await deliverDue(world.context), 1);
    assert.equal((await deliveriesOf(caller))[0]?.status, "delivered");
    assert.equal(webhook.enabled, true);
  });

  test("that is disabled gets nothing until it is enabled; one that is removed takes its deliveries with it", async () => {
    const { caller, webhook } = await withWebhook();
    await happen(caller);
    await updateWebhook(world.context, caller, { webhookId: webhook.id, enabled: false });
    assert.equal(await deliverDue(world.context), 0);
    await happen(caller);
    await assert.rejects(testWebhook(world.context, caller, { webhookId: webhook.id }), (error) => (error as DomainError).code === "conflict");
    await updateWebhook(world.context, caller, { webhookId: webhook.id, enabled: true, events: ["vault.nearly_full"] });
    assert.equal(await deliverDue(world.context), 1);
    const tested = await testWebhook(world.context, caller, { webhookId: webhook.id });
    assert.equal(await deliverDue(world.context), 1);
    assert.equal(JSON.parse(got.at(-1)!.body).type, "webhook.test");
    assert.equal(got.at(-1)!.headers["x-opencbr-delivery"], tested.id);
    await removeWebhook(world.context, caller, { webhookId: webhook.id });
    assert.deepEqual(await deliveriesOf(caller), []);
  });

  test("is taken by one of several at a time, and taken again when that one died", async () => {
    const { caller } = await withWebhook();
    await happen(caller);
    const made = await Promise.all([deliverDue(world.context), deliverDue(world.context), deliverDue(world.context)]);
    assert.equal(
      made.reduce((sum, each) => sum + each),
      1,
    );
    await happen(caller);
    const [delivery] = await deliveriesOf(caller);
    assert.equal(await world.catalog.events.takeDelivery(delivery!, clock.nowUs() + 60_000_000), true);
    assert.equal(await deliverDue(world.context), 0);
    clock.advance(61_000);
    assert.equal(await deliverDue(world.context), 1);
  });

  test("of another project is not there", async () => {
    const { webhook } = await withWebhook();
    const other = await world.newCaller();
    const missing = (error: unknown): boolean => (error as DomainError).code === "webhookNotFound";
    await assert.rejects(updateWebhook(world.context, other, { webhookId: webhook.id, enabled: false }), missing);
    await assert.rejects(removeWebhook(world.context, other, { webhookId: webhook.id }), missing);
    await assert.rejects(testWebhook(world.context, other, { webhookId: webhook.id }), missing);
  });

  test("is refused with the field: what is no URL, no event, or too short a secret", async () => {
    const caller = await world.newCaller();
    const create = (input: Partial<Parameters<typeof createWebhook>[2]>) =>
      assert.rejects(createWebhook(world.context, caller, { url: "https://hooks.example", ...input }), (error) => {
        assert.ok(error instanceof DomainError && error.code === "invalidRequest" && error.field?.startsWith("webhook."), String(error));
        return true;
      });
    for (const url of [
      "nonsense",
      "ftp://x.example",
      "http://x.example",
      "https://u:p@x.example",
      "https://x.example/#f",
      "https://10.0.0.1",
      "https://[::1]/",
    ])
      await create({ url });
    for (const events of [[], ["tasks.*"], ["task"], [".*"]]) await create({ events });
    await create({ secret: "short" });
    assert.deepEqual(await world.catalog.events.listWebhooks(caller.projectId), []);
  });
});

describe("where a webhook may point", () => {
  const none = webhookRules();
  const send = (url: string, addresses: string[], allowed: string[] = []) =>
    sendWebhook(new URL(url), "{}", {}, { rules: webhookRules(allowed), clock: systemClock, timeoutMs: 5000, resolve: async () => addresses });
  const refused = { error: "its address is none that webhooks may be sent to" };

  test("nowhere but the public internet, however the address is written", () => {
    const inside =
      "127.0.0.1 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 198.18.0.1 224.0.0.1 255.255.255.255 " +
      "::1 :: fe80::1 fc00::1 fd12::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:a00:1:: 2001:db8::1 ff02::1 100::1 ::127.0.0.1";
    for (const address of inside.split(" ")) {
      assert.equal(isPublicAddress(address), false, address);
      assert.equal(mayReach(none, new URL("https://x.example"), address), false, address);
    }
    for (const address of ["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"])
      assert.equal(isPublicAddress(address), true, address);
    for (const text of ["https://0x7f.1/", "https://2130706433/", "https://127.1/", "https://[::ffff:7f00:1]/", "https://0177.0.0.1/"])
      assert.throws(() => readWebhookUrl(none, text, "url"), DomainError, text);
  });

  test("no IPv4 address within a private network is ever public", () => {
    const byte = fc.nat(255);
    const inside = fc.oneof(
      fc.tuple(fc.constantFrom(0, 10, 127), byte, byte, byte),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
      fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
      fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
      fc.tuple(fc.integer({ min: 224, max: 255 }), byte, byte, byte),
    );
    fc.assert(
      fc.property(inside, (bytes) => {
        const address = bytes.join(".");
        return !isPublicAddress(address) && !isPublicAddress(`::ffff:${address}`);
      }),
    );
  });

  test("a name is held against the rules by what it resolves to, each of its addresses", async () => {
    assert.deepEqual(await send("https://rebound.example", ["127.0.0.1"]), refused);
    assert.deepEqual(await send("https://mixed.example", ["93.184.215.14", "10.0.0.1"]), refused);
    assert.deepEqual(await send("https://none.example", []), { error: "its name could not be resolved" });
    assert.deepEqual(await send(`http://plain.example:${port}`, ["127.0.0.1"]), refused);
    assert.deepEqual(await send("http://plain.example", ["93.184.215.14"], ["plain.example"]), refused, "without TLS only on this machine");
  });

  test("an operator's host or network is permitted, and the connection goes to the address that was looked at", async () => {
    got = [];
    answers = [];
    assert.deepEqual(await send(`http://named.example:${port}/n`, ["127.0.0.1"], ["named.example"]), { status: 200 });
    assert.deepEqual(await send(`http://any.example:${port}/a`, ["127.0.0.1"], ["127.0.0.0/8"]), { status: 200 });
    assert.deepEqual(
      got.map(({ url, headers }) => [url, headers.host]),
      [
        ["/n", `named.example:${port}`],
        ["/a", `any.example:${port}`],
      ],
    );
    assert.deepEqual(await send(`http://any.example:${port}/a`, ["127.0.0.1"], ["10.0.0.0/8", "other.example"]), refused);
  });

  test("a target that never answers is not waited for", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = new URL(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const sent = await sendWebhook(url, "{}", {}, { rules: webhookRules(["127.0.0.1"]), clock: systemClock, timeoutMs: 50 });
    assert.deepEqual(sent, { error: "it did not answer in time" });
    silent.close();
    silent.closeAllConnections();
  });

  test("what the setting takes", () => {
    for (const good of ["hooks.example", "localhost", "10.0.0.0/8", "fd00::/8", "192.168.1.5", "::1"]) assert.ok(isAllowedTarget(good), good);
    for (const bad of ["10.0.0.0/33", "x/8", "https://x", "a b", "-x", "", "10.0.0.0/", "::1/129"]) assert.ok(!isAllowedTarget(bad), bad);
  });
});
