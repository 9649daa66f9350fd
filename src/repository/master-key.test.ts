import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { refusedAs, triesTo } from "./codec-samples.ts";
import { loadMasterKey, loadOrCreateMasterKey, parseMasterKey } from "./master-key.ts";

const folder = mkdtempSync(join(tmpdir(), "opencbr-master-"));
after(() => rmSync(folder, { recursive: true }));

test("a master key is made once, for its owner only, and nothing else is left", () => {
  const path = join(folder, "made.key");
  const key = loadOrCreateMasterKey(path, systemRandom);
  assert.equal(key.length, 32);
  assert.deepEqual(loadOrCreateMasterKey(path, systemRandom), key);
  assert.deepEqual(loadMasterKey(path), key);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["made.key"]);
});

test("a file that others may use is refused and stays", () => {
  const path = join(folder, "loose.key");
  loadOrCreateMasterKey(path, systemRandom);
  const text = readFileSync(path, "utf8");
  for (const mode of [0o640, 0o604, 0o660, 0o601]) {
    chmodSync(path, mode);
    assert.throws(
      () => loadOrCreateMasterKey(path, systemRandom),
      (error) => refusedAs("wrongMasterKey")(error) && /0600/.test(String(error)),
      mode.toString(8),
    );
  }
  assert.equal(readFileSync(path, "utf8"), text);
});

test("hex and base64 are both understood, anything else is refused by the file's name", () => {
  const key = Buffer.from(systemRandom.bytes(32));
  for (const encoded of [key.toString("hex"), key.toString("hex").toUpperCase(), key.toString("base64")])
    for (const end of ["\n", "", "\r\n\n"]) assert.deepEqual(Buffer.from(parseMasterKey(`opencbr-master-key-v1\n${encoded}${end}`, "k")), key);
  const path = join(folder, "other.key");
  for (const text of [
    "",
    key.toString("hex"),
    "opencbr-master-key-v1\n",
    "opencbr-master-key-v2\n" + key.toString("hex"),
    `opencbr-master-key-v1\n${key.toString("hex").slice(2)}`,
  ]) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(
      () => loadMasterKey(path),
      (error) => refusedAs("wrongMasterKey")(error) && String(error).includes(path),
      JSON.stringify(text),
    );
  }
  assert.throws(() => loadMasterKey(join(folder, "none.key")), { code: "ENOENT" });
});

test("fuzz: any text is a key of 32 bytes or refused", () => {
  const text = fc.tuple(fc.constantFrom("", "opencbr-master-key-v1\n"), fc.string({ maxLength: 80, unit: "binary" })).map((parts) => parts.join(""));
  fc.assert(fc.property(text, (any) => assert.equal(triesTo(() => parseMasterKey(any, "k"), "wrongMasterKey")?.length ?? 32, 32)));
});
