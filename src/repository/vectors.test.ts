import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chunkIdOf, deriveTenantKeys, masterKeyCheck, packKey, rootKey, unwrapTenantKey, wrapTenantKey } from "./keys.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import { openRecord, PackWriter } from "./pack.ts";
import { decodePage, encodePage, pageIdOf } from "./page.ts";
import { openRoot } from "./root.ts";
import { readTrailer, scanPack, verifyPackCiphertext } from "./trailer.ts";

/** The bytes that were written when format v1 was settled. They never change: whatever fails here cannot read what users have stored. */
const vectors = JSON.parse(readFileSync(new URL("../../test/vectors/repository-v1.json", import.meta.url), "utf8"));
const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");
const keys = deriveTenantKeys(bytesOf(vectors.keys.dataKey));

test("vectors: keys", () => {
  const { masterKey, repositoryId, tenant, dataKey, wrappedDataKey } = vectors.keys;
  assert.equal(masterKeyCheck(bytesOf(masterKey), repositoryId), vectors.keys.masterKeyCheck);
  assert.equal(hexOf(unwrapTenantKey(bytesOf(masterKey), tenant, bytesOf(wrappedDataKey))), dataKey);
  const nonce = bytesOf(wrappedDataKey).subarray(12 + tenant.length, 24 + tenant.length);
  const random = { bytes: () => nonce, uuid: () => "" };
  assert.equal(hexOf(wrapTenantKey(bytesOf(masterKey), tenant, bytesOf(dataKey), random)), wrappedDataKey);
  assert.deepEqual([keys.chunkId, keys.pageId, keys.pack, keys.root].map(hexOf), [
    vectors.keys.chunkIdKey,
    vectors.keys.pageIdKey,
    vectors.keys.packsKey,
    vectors.keys.rootsKey,
  ]);
  assert.equal(hexOf(packKey(keys, bytesOf(vectors.pack.packId))), vectors.keys.packKey);
  assert.equal(hexOf(rootKey(keys, bytesOf(vectors.root.salt))), vectors.keys.rootKey);
});

test("vectors: chunk ids", () => {
  assert.ok(vectors.chunks.length > 0);
  for (const { plain, id } of vectors.chunks) assert.equal(hexOf(chunkIdOf(keys, bytesOf(plain))), id);
});

test("vectors: a pack is written and read, from its tail and from its front", () => {
  const { packId, key, bytes } = vectors.pack;
  const pack = bytesOf(bytes);
  const writer = new PackWriter({ tenant: vectors.keys.tenant, packId: bytesOf(packId), keys, kind: "data", compressionLevel: 0 });
  for (const { plain, id } of vectors.chunks) writer.add(bytesOf(id), bytesOf(plain));
  assert.equal(hexOf(writer.finish().bytes), bytes);
  assert.equal(packObjectKey(vectors.keys.tenant, bytesOf(packId)), key);
  const contents = readTrailer(pack, pack.length);
  assert.deepEqual(scanPack(pack).entries, contents.entries);
  assert.deepEqual(verifyPackCiphertext(pack).damaged, []);
  assert.equal(contents.entries.length, vectors.chunks.length);
  for (const entry of contents.entries) {
    const record = pack.subarray(entry.offset, entry.offset + entry.length);
    assert.equal(hexOf(openRecord(keys, bytesOf(packId), record, entry)), vectors.chunks[entry.slot].plain);
  }
});

test("vectors: a compressed record is read", () => {
  const { packId, chunk, bytes } = vectors.compressedPack;
  const [entry] = readTrailer(bytesOf(bytes), bytes.length / 2).entries;
  assert.ok(entry?.compressed);
  const record = bytesOf(bytes).subarray(entry.offset, entry.offset + entry.length);
  assert.equal(hexOf(openRecord(keys, bytesOf(packId), record, entry)), vectors.chunks[chunk].plain);
});

test("vectors: a page", () => {
  const flat = decodePage(bytesOf(vectors.page.encoded));
  for (const [place, id] of Object.entries(vectors.page.places)) assert.equal(hexOf(flat.subarray(Number(place) * 32, Number(place) * 32 + 32)), id);
  assert.equal(hexOf(encodePage(flat)), vectors.page.encoded);
  assert.equal(hexOf(pageIdOf(keys, bytesOf(vectors.page.encoded))), vectors.page.id);
});

test("vectors: a root object", () => {
  const { object, salt: _salt, pageIds, ...expected } = vectors.root;
  const { merkleRoot, ...root } = openRoot(keys, bytesOf(object), expected);
  assert.deepEqual({ ...root, pageIds: hexOf(root.pageIds) }, { ...expected, pageIds });
  assert.equal(merkleRoot, vectors.merkleRoot);
});
