import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readPeers } from "./peers-file.ts";
import { PeerClient } from "#platform/peer-client.ts";
import { silentLog } from "#platform/log.ts";
import { readSettings } from "./config.ts";
import { startApp } from "./app.ts";
import { replicationIsOver } from "#model/replication.ts";
import { systemClock } from "#platform/clock.ts";
import { readBackupRange } from "#services/backups/readBackupRange.ts";
import { createCheckpoint } from "#services/checkpoints/createCheckpoint.ts";
import { copyBackup } from "#services/replication/copyBackup.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import { writeVolumeRange } from "#services/volumes/writeVolumeRange.ts";
import { devProjectId } from "../test/support/client.ts";
import { noise } from "../test/support/world.ts";

const folder = mkdtempSync(join(tmpdir(), "opencbr-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** An authority, and certificates of it for these names; every one is good for 127.0.0.1 too. */
function makeAuthority(authority: string, ...names: string[]): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", `${authority}.key`, "-out", `${authority}.pem`, "-days", "2", "-subj", `/CN=${authority}`);
  for (const name of names) {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(at(`${name}.ext`), `subjectAltName=DNS:${name},IP:127.0.0.1\n`);
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      `${authority}.pem`,
      "-CAkey",
      `${authority}.key`,
      "-CAcreateserial",
      "-out",
      `${name}.pem`,
      "-days",
      "2",
      "-extfile",
      `${name}.ext`,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function get(url: string, options: object): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { ...options, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

test(
  "over TLS each side wants the other's certificate, of the right authority and name",
  { timeout: 120_000, skip: !hasOpenssl && "no openssl" },
  async () => {
    makeAuthority("ours", "east.example", "west.example", "north.example");
    makeAuthority("theirs", "evil.example");
    const port = await freePort();
    const peer = {
      region: "east",
      url: "https://127.0.0.1:1",
      name: "east.example",
      ca: "ours.pem",
      accept: [{ from: devProjectId, into: devProjectId }],
    };
    writeFileSync(at("west.json"), JSON.stringify({ peers: [peer] }));
    const flags = {
      data: at("data"),
      port: String(port),
      dev: true,
      region: "west",
      tlsCert: at("west.example.pem"),
      tlsKey: at("west.example.key"),
      tlsClientCa: at("ours.pem"),
      peersFile: at("west.json"),
      lanes: "1",
      logLevel: "silent",
    };
    const app = await startApp(readSettings(flags, {}).settings, { version: "test", log: silentLog });
    try {
      assert.equal(app.baseUrl, `https://127.0.0.1:${port}`);
      assert.equal(await get(`${app.baseUrl}/healthz`, { ca: [await readText("ours.pem")] }), 200, "a client needs no certificate");
      const replica = "/opencbr/v1/replication/replicas/00000000-0000-4000-8000-000000000000";
      const asked = async (over: object): Promise<number> => {
        const entry = { region: "west", url: app.baseUrl, ca: "ours.pem", certificate: "east.example.pem", key: "east.example.key", ...over };
        writeFileSync(at("east.json"), JSON.stringify({ peers: [entry] }));
        const [west] = readPeers(at("east.json"), { region: "east" });
        const client = new PeerClient(west!.address);
        try {
          return (await client.request({ method: "GET", path: replica, maxBytes: 10_000 })).status;
        } finally {
          client.close();
        }
      };
      assert.equal(await asked({}), 404, "known, and there is no such copying");
      assert.equal(await asked({ certificate: "north.example.pem", key: "north.example.key" }), 401, "another name");
      assert.equal(await asked({ certificate: "evil.example.pem", key: "evil.example.key" }), 401, "another authority");
      assert.equal(
        await get(app.baseUrl + replica, { ca: [await readText("ours.pem")], headers: { "x-opencbr-region": "east" } }),
        401,
        "no certificate",
      );
      await assert.rejects(asked({ ca: "theirs.pem" }), /certificate/, "a server that another authority speaks for");
    } finally {
      await app.stop();
    }
  },
);

async function readText(name: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return readFile(at(name), "utf8");
}

test("two regions copy over TLS with both certificates verified", { timeout: 240_000, skip: !hasOpenssl && "no openssl" }, async () => {
  makeAuthority("both", "left.example", "right.example");
  const names = ["left", "right"] as const;
  const ports = [await freePort(), await freePort()];
  const start = (at_: 0 | 1) => {
    const [own, other] = [names[at_], names[1 - at_]!];
    const accept = [{ from: devProjectId, into: devProjectId }];
    const peer = { region: other, url: `https://127.0.0.1:${ports[1 - at_]}`, name: `${other}.example`, ca: "both.pem", accept };
    writeFileSync(at(`${own}.json`), JSON.stringify({ peers: [peer] }));
    const flags = {
      data: at(`${own}-data`),
      port: String(ports[at_]),
      dev: true,
      region: own,
      tlsCert: at(`${own}.example.pem`),
      tlsKey: at(`${own}.example.key`),
      tlsClientCa: at("both.pem"),
      peersFile: at(`${own}.json`),
      lanes: "1",
      vaultMinGib: "1",
    };
    return startApp(readSettings(flags, {}).settings, { version: "test", log: silentLog });
  };
  const [left, right] = [await start(0), await start(1)];
  try {
    const [user] = [await left.context.catalog.identity.findUser("default", "demo")];
    const caller = { userId: user!.id, userName: "demo", projectId: devProjectId, domainId: "default", roles: ["member"], requestId: "req-1" };
    const volume = await createVolume(left.context, caller, { sizeGib: 1, name: "disk" });
    const bytes = noise(3_000_000, 5);
    const kind = { sizeGib: 10, objectType: "disk", consistentLevel: "crash_consistent" } as const;
    const idle = async (): Promise<void> => {
      for (;;) {
        const now = await left.context.catalog.resources.getVolume(devProjectId, volume.id);
        if (now?.status === "available") return;
        await systemClock.sleep(20);
      }
    };
    await idle();
    await writeVolumeRange(left.context, caller, { volumeId: volume.id, offset: 0, bytes });
    const resources = [{ id: volume.id, type: volume.type }];
    const { vault } = await createVault(left.context, caller, { ...kind, name: "v", protectType: "backup", resources });
    const copies = (await createVault(right.context, caller, { ...kind, name: "c", protectType: "replication", resources: [] })).vault;
    const { checkpoint } = await createCheckpoint(left.context, caller, { vaultId: vault.id });
    await idle();
    const [backup] = await left.context.catalog.backups.ofCheckpoint(checkpoint.id);
    const to = { destinationRegion: "right", destinationProjectId: devProjectId, destinationVaultId: copies.id };
    const asked = await copyBackup(left.context, caller, { backupId: backup!.id, ...to });
    for (;;) {
      const record = await left.context.catalog.replications.get(asked.id);
      if (record !== undefined && replicationIsOver(record.status)) {
        assert.deepEqual([record.status, record.failReason], ["success", ""]);
        const range = { backupId: record.destinationBackupId!, offset: 0, length: bytes.length };
        assert.ok(bytes.equals((await readBackupRange(right.context, caller, range)).bytes));
        return;
      }
      await systemClock.sleep(20);
    }
  } finally {
    await Promise.all([left.stop(), right.stop()]);
  }
});
