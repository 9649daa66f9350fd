import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readPeers } from "./peers-file.ts";
import { StartError } from "./start-failure.ts";

const folder = mkdtempSync(join(tmpdir(), "opencbr-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "peers.json");
const project = "0".repeat(32);
writeFileSync(join(folder, "secret"), `${"s".repeat(32)}\n`);
writeFileSync(join(folder, "short"), "s");

function read(content: unknown) {
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return readPeers(path, { region: "east", cert: "own cert", key: "own key" });
}

const west = { region: "west", url: "https://west.example:8799/" };

test("a peer shows the listener's certificate unless told otherwise, and has to show one for its host", () => {
  const [peer] = read({ peers: [{ ...west, accept: [{ from: project, into: project }] }] });
  assert.deepEqual(peer, {
    region: "west",
    address: { url: "https://west.example:8799", headers: { "x-opencbr-region": "east" }, tls: { cert: "own cert", key: "own key" } },
    secret: undefined,
    certificateName: "west.example",
    accept: [{ from: project, into: project }],
  });
  const [known] = read({ peers: [{ ...west, url: "http://127.0.0.1:1", secretFile: "secret" }] });
  assert.deepEqual(known?.address.headers, { "x-opencbr-region": "east", authorization: `Bearer ${"s".repeat(32)}` });
  assert.deepEqual([known?.certificateName, known?.address.tls], [undefined, {}]);
  const [both] = read({ peers: [{ ...west, secretFile: "secret", name: "other.example" }] });
  assert.deepEqual([both?.certificateName, both?.secret], ["other.example", "s".repeat(32)]);
});

test("what cannot be used is told by file and member", () => {
  const wrongs: [unknown, RegExp][] = [
    ["{", /no JSON/],
    [[], /list "peers"/],
    [{ peers: [1] }, /peers\[0\] must be an object/],
    [{ peers: [{ ...west, regoin: "x" }] }, /regoin is not known/],
    [{ peers: [{ ...west, region: "" }] }, /region must be a text/],
    [{ peers: [{ ...west, region: "a b" }] }, /region must be 1 to 255/],
    [{ peers: [{ ...west, region: "east" }] }, /own name/],
    [{ peers: [{ ...west, url: "ftp://x" }] }, /https URL/],
    [{ peers: [{ ...west, url: "http://west.example", secretFile: "secret" }] }, /plain http is for loopback/],
    [{ peers: [{ ...west, url: "http://127.0.0.1" }] }, /secretFile is needed/],
    [{ peers: [{ ...west, secretFile: "short" }] }, /at least 32/],
    [{ peers: [{ ...west, ca: "nowhere.pem" }] }, /\.ca: .*no such file/],
    [{ peers: [{ ...west, accept: [{ from: "x", into: project }] }] }, /accept\[0\]/],
    [{ peers: [west, west] }, /region west is there twice/],
  ];
  for (const [content, says] of wrongs) {
    assert.throws(
      () => read(content),
      (error) => error instanceof StartError && error.message.includes(path) && says.test(error.message),
      String(says),
    );
  }
});
