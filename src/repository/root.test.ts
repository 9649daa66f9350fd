import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { noise, refusedAs, sampleKeys, tenant, triesTo } from "./codec-samples.ts";
import { deriveTenantKeys, rootKey } from "./keys.ts";
import { merkleRootOf, openRoot, pageCountOf, sealRoot } from "./root.ts";
import type { Root } from "./root.ts";

const backupId = "11111111-2222-4333-8444-555555555555";
const expected = { tenant, backupId };
const sizes = { sizeBytes: 10, readBytes: 9, dataBytes: 8, newBytes: 7, storedBytes: 6, unchangedBytes: 5, deduplicatedBytes: 4 };
const statistics = { ...sizes, newChunks: 3, objectCount: 2, compressed: true, durationMs: 1 };

function rootOf(sizeBytes: number, chunkBytes: number, hole: (page: number) => boolean, document: unknown = { name: "b" }): Omit<Root, "merkleRoot"> {
  const pageIds = new Uint8Array(pageCountOf(sizeBytes, chunkBytes) * 32);
  for (let page = 0; page < pageIds.length / 32; page++) if (!hole(page)) pageIds.set(noise(page, 32), page * 32);
  return { ...expected, baseId: null, sizeBytes, chunkBytes, pageIds, statistics, document };
}

test("a root object says what was sealed", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 36 }),
      fc.integer({ min: 16, max: 22 }),
      fc.integer({ min: 1, max: 7 }),
      fc.option(fc.uuid()),
      fc.jsonValue(),
      (sizeBytes, chunkBits, holes, baseId, document) => {
        const root = { ...rootOf(sizeBytes, 2 ** chunkBits, (page) => page % holes === 0), baseId, document: JSON.parse(JSON.stringify(document)) };
        const { merkleRoot, ...opened } = openRoot(sampleKeys, sealRoot(sampleKeys, root), expected);
        assert.deepEqual(opened, root);
        assert.equal(merkleRoot, Buffer.from(merkleRootOf(sampleKeys, sizeBytes, root.chunkBytes, root.pageIds)).toString("hex"));
      },
    ),
    { numRuns: 60 },
  );
});

test("the Merkle root tells content, size and chunk size apart", () => {
  const pageIds = noise(1, 64);
  const roots = [
    merkleRootOf(sampleKeys, 100, 65536, pageIds),
    merkleRootOf(sampleKeys, 101, 65536, pageIds),
    merkleRootOf(sampleKeys, 100, 131072, pageIds),
    merkleRootOf(sampleKeys, 100, 65536, noise(2, 64)),
    merkleRootOf(deriveTenantKeys(new Uint8Array(32)), 100, 65536, pageIds),
  ].map((root) => Buffer.from(root).toString("hex"));
  assert.equal(new Set(roots).size, roots.length);
});

test("the same root is sealed differently each time, and 1 TiB of holes takes few bytes", () => {
  const root = rootOf(2 ** 40, 262144, () => true);
  const [one, two] = [sealRoot(sampleKeys, root), sealRoot(sampleKeys, root)];
  assert.notDeepEqual(one.slice(-64), two.slice(-64));
  assert.ok(one.length < 1000);
});

test("a root object opens only for its tenant and its backup", () => {
  const sealed = sealRoot(
    sampleKeys,
    rootOf(1000, 65536, () => false),
  );
  assert.throws(() => openRoot(sampleKeys, sealed, { tenant: "f".repeat(32), backupId }), refusedAs("corruptRoot"));
  assert.throws(() => openRoot(sampleKeys, sealed, { tenant, backupId: backupId.replace("1", "2") }), /backup 21111111/);
  assert.throws(() => openRoot(deriveTenantKeys(new Uint8Array(32)), sealed, expected), refusedAs("corruptRoot"));
});

test("what contradicts itself is not sealed", () => {
  const root = rootOf(1000, 65536, () => false);
  for (const wrong of [
    { sizeBytes: -1 },
    { sizeBytes: 0.5 },
    { sizeBytes: 2 ** 53 - 1 },
    { chunkBytes: 65535 },
    { chunkBytes: 32768 },
    { chunkBytes: 2 ** 23 },
    { pageIds: new Uint8Array(64) },
  ])
    assert.throws(() => sealRoot(sampleKeys, { ...root, ...wrong }), refusedAs("invalidRequest"), JSON.stringify(wrong));
});

test("fuzz: every flipped bit, cut and random start is corruptRoot or newerFormat", () => {
  const sealed = sealRoot(
    sampleKeys,
    rootOf(70_000_000, 65536, (page) => page === 1),
  );
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const bytes = Uint8Array.from(sealed);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => openRoot(sampleKeys, bytes, expected), refusedAs("corruptRoot", "newerFormat"), `bit ${bit}`);
  }
  for (let length = 0; length < sealed.length; length++)
    assert.throws(() => openRoot(sampleKeys, sealed.subarray(0, length), expected), refusedAs("corruptRoot"));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
      const bytes = Buffer.concat([sealed.subarray(0, 10), tail]);
      assert.equal(
        triesTo(() => openRoot(sampleKeys, bytes, expected), "corruptRoot", "newerFormat"),
        undefined,
      );
    }),
  );
});

/** The sealed root with its payload changed and sealed again with the right key, as a faulty writer would have. */
function resealed(sealed: Uint8Array, change: (payload: Buffer) => Buffer): Uint8Array {
  const bytes = Buffer.from(sealed);
  const clearEnd = 40 + tenant.length + backupId.length;
  const key = rootKey(sampleKeys, bytes.subarray(16, 32));
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.alloc(12)).setAAD(bytes.subarray(0, clearEnd));
  const payload = change(zstdDecompressSync(decipher.update(bytes.subarray(clearEnd + 16))));
  const packed = zstdCompressSync(payload);
  const clear = Buffer.from(bytes.subarray(0, clearEnd));
  clear.writeUInt32LE(payload.length, 32);
  clear.writeUInt32LE(packed.length, 36);
  const cipher = createCipheriv("aes-256-gcm", key, Buffer.alloc(12)).setAAD(clear);
  const ciphertext = Buffer.concat([cipher.update(packed), cipher.final()]);
  return Buffer.concat([clear, cipher.getAuthTag(), ciphertext]);
}

test("fuzz: a payload that authenticates but is wrong is corruptRoot, and a wrong page id or size never passes", () => {
  const root = rootOf(200_000_000, 65536, (page) => page === 1);
  const sealed = sealRoot(sampleKeys, root);
  assert.deepEqual(
    openRoot(
      sampleKeys,
      resealed(sealed, (payload) => payload),
      expected,
    ).pageIds,
    root.pageIds,
  );
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (place, change, cut) => {
      const damaged = resealed(sealed, (payload) => {
        const at = place % payload.length;
        if (cut) return payload.subarray(0, at);
        payload[at]! ^= change;
        return payload;
      });
      const opened = triesTo(() => openRoot(sampleKeys, damaged, expected), "corruptRoot");
      // The JSON has no check of its own beyond the tag; everything about the disk has.
      if (opened) assert.deepEqual([opened.sizeBytes, opened.chunkBytes, opened.pageIds], [root.sizeBytes, root.chunkBytes, root.pageIds]);
      if (opened) assert.equal(cut, false);
    }),
    { numRuns: 400 },
  );
});

test("a payload whose JSON is of another shape is corruptRoot", () => {
  const sealed = sealRoot(
    sampleKeys,
    rootOf(0, 65536, () => true),
  );
  for (const json of ["null", "1", "[]", "{}", '{"baseId":1,"statistics":{}}', '{"baseId":null}', '{"baseId":null,"statistics":null}', "{"]) {
    const changed = resealed(sealed, (payload) => {
      const head = Buffer.from(payload.subarray(0, 52));
      head.writeUInt32LE(json.length, 48);
      return Buffer.concat([head, Buffer.from(json)]);
    });
    assert.throws(() => openRoot(sampleKeys, changed, expected), refusedAs("corruptRoot"), json);
  }
});
