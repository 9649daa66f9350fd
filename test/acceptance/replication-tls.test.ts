import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readPeers } from "../../src/peers-file.ts";
import { PeerClient } from "#platform/peer-client.ts";
import { silentLog } from "#platform/log.ts";
import { readSettings } from "../../src/config.ts";
import { startApp } from "../../src/app.ts";
import { devProjectId } from "../support/client.ts";

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
