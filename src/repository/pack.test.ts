import assert from "node:assert/strict";
import { test } from "node:test";
import { blake3 } from "@napi-rs/blake-hash";
import fc from "fast-check";
import { noise, packIdOf, packOf, refusedAs, sampleKeys, tenant, triesTo } from "./codec-samples.ts";
import { chunkIdOf, deriveTenantKeys } from "./keys.ts";
import { maxPackRecords, openRecord, PackWriter } from "./pack.ts";
import type { FinishedPack, PackEntry } from "./pack.ts";
import { footerBytes, readTrailer, scanPack, trailerEntryBytes, trailerLength, verifyPackCiphertext } from "./trailer.ts";

const recordOf = (pack: FinishedPack, entry: PackEntry): Uint8Array => pack.bytes.subarray(entry.offset, entry.offset + entry.length);
const withoutHash = (entries: readonly PackEntry[]): object[] =>
  entries.map(({ id, slot, offset, length, plainLength, compressed }) => ({ id: [...id], slot, offset, length, plainLength, compressed }));
const plains = [noise(1, 5000), new Uint8Array(4096).fill(1), noise(2, 1), Buffer.from("text ".repeat(400)), noise(3, 700)];
const sample = packOf(1, plains);

test("a pack gives back what was added, by its trailer and by a scan", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 12 }),
      fc.constantFrom(0, 1, 3),
      fc.boolean(),
      (contents, level, deep) => {
        const writer = new PackWriter({ tenant, packId: packIdOf(2), keys: sampleKeys, kind: "data", targetBytes: 4096, compressionLevel: level });
        for (const plain of contents) writer.add(chunkIdOf(sampleKeys, plain), plain);
        const told = writer.byteLength;
        const pack = writer.finish({ deep });
        assert.equal(pack.bytes.length, told);
        const contentsOfPack = readTrailer(pack.bytes, pack.bytes.length);
        assert.deepEqual(withoutHash(contentsOfPack.entries), withoutHash(pack.entries));
        assert.deepEqual(Buffer.from(contentsOfPack.packId), Buffer.from(pack.packId));
        assert.deepEqual(scanPack(pack.bytes).entries, contentsOfPack.entries);
        assert.deepEqual(verifyPackCiphertext(pack.bytes).damaged, []);
        for (const [slot, plain] of contents.entries())
          assert.deepEqual(
            Buffer.from(openRecord(sampleKeys, pack.packId, recordOf(pack, pack.entries[slot]!), pack.entries[slot]!)),
            Buffer.from(plain),
          );
      },
    ),
    { numRuns: 60 },
  );
});

test("what compresses is stored smaller, what saves less than 3 % or is told not to is stored as it is", () => {
  assert.deepEqual(
    sample.entries.map((entry) => entry.compressed),
    [false, true, false, true, false],
  );
  assert.ok(sample.entries[1]!.length < 200);
  assert.equal(sample.entries[0]!.length, 72 + 5000);
  assert.equal(packOf(3, [plains[1]!], { compressionLevel: 0 }).entries[0]!.length, 72 + 4096);
});

test("a pack of tiny records is full when it has very many", () => {
  const writer = new PackWriter({ tenant, packId: packIdOf(5), keys: sampleKeys, kind: "data" });
  while (!writer.isFull) writer.add(chunkIdOf(sampleKeys, Uint8Array.of(writer.recordCount & 255)), Uint8Array.of(writer.recordCount & 255));
  assert.equal(writer.recordCount, maxPackRecords);
  assert.ok(writer.byteLength < 1 << 20);
});

test("a pack is full at its target and grows beyond its memory", () => {
  const writer = new PackWriter({ tenant, packId: packIdOf(4), keys: sampleKeys, kind: "data", targetBytes: 20_000, buffer: new ArrayBuffer(100) });
  const added: Uint8Array[] = [];
  while (!writer.isFull) {
    added.push(noise(added.length, 3000));
    writer.add(chunkIdOf(sampleKeys, added.at(-1)!), added.at(-1)!);
  }
  assert.equal(added.length, 7);
  const pack = writer.finish();
  assert.deepEqual(Buffer.from(openRecord(sampleKeys, pack.packId, recordOf(pack, pack.entries[6]!), pack.entries[6]!)), Buffer.from(added[6]!));
});

test("memory that is given again carries nothing over", () => {
  const buffer = new ArrayBuffer(1 << 16);
  const first = Buffer.from(packOf(5, plains, { buffer }).bytes);
  new Uint8Array(buffer).fill(0xee);
  assert.deepEqual(Buffer.from(packOf(5, plains, { buffer }).bytes), first);
});

test("the same plain bytes in two packs have nothing in common", () => {
  const [one, two] = [packOf(6, [noise(9, 600)]), packOf(7, [noise(9, 600)])];
  assert.notDeepEqual(recordOf(one, one.entries[0]!).slice(72), recordOf(two, two.entries[0]!).slice(72));
});

test("what a pack must not take is refused by name", () => {
  const writer = new PackWriter({ tenant, packId: packIdOf(8), keys: sampleKeys, kind: "data" });
  const id = new Uint8Array(32);
  assert.throws(() => writer.add(id, new Uint8Array(0)), refusedAs("invalidRequest"));
  assert.throws(() => writer.add(id, new Uint8Array((8 << 20) + 1)), refusedAs("invalidRequest"));
  assert.throws(() => writer.add(new Uint8Array(31), new Uint8Array(1)), refusedAs("invalidRequest"));
  assert.throws(() => new PackWriter({ tenant, packId: new Uint8Array(15), keys: sampleKeys, kind: "data" }), refusedAs("invalidRequest"));
  assert.equal(writer.recordCount, 0);
});

test("finish opens again what was sealed: memory that changed meanwhile is noticed", () => {
  for (const at of [40, 41 + 56, 200, 5000]) {
    const buffer = new ArrayBuffer(1 << 16);
    const writer = new PackWriter({ tenant, packId: packIdOf(9), keys: sampleKeys, kind: "data", buffer });
    for (const plain of plains) writer.add(chunkIdOf(sampleKeys, plain), plain);
    new Uint8Array(buffer)[at]! ^= 4;
    assert.throws(() => writer.finish(), refusedAs("corruptPack"), `byte ${at}`);
  }
  const wrong = new PackWriter({ tenant, packId: packIdOf(9), keys: sampleKeys, kind: "data" });
  wrong.add(new Uint8Array(32).fill(5), plains[0]!);
  assert.throws(() => wrong.finish({ deep: true }), refusedAs("corruptPack"));
});

test("a record opens only as what it is, where it is, and with its tenant's keys", () => {
  const [entry, other] = [sample.entries[0]!, sample.entries[4]!];
  const record = recordOf(sample, entry);
  const open = (packId: Uint8Array, expected: object, keys = sampleKeys): Uint8Array =>
    openRecord(keys, packId, record, { slot: 0, id: entry.id, ...expected });
  assert.equal(open(sample.packId, { plainLength: 5000 }).length, 5000);
  assert.throws(() => open(packIdOf(2), {}), refusedAs("corruptChunk"));
  assert.throws(() => open(sample.packId, { slot: 1 }), refusedAs("corruptChunk"));
  assert.throws(() => open(sample.packId, { id: other.id }), refusedAs("corruptChunk"));
  assert.throws(() => open(sample.packId, { plainLength: 4999 }), refusedAs("corruptChunk"));
  assert.throws(() => open(sample.packId, {}, deriveTenantKeys(new Uint8Array(32).fill(8))), refusedAs("corruptChunk"));
  assert.throws(() => openRecord(sampleKeys, sample.packId, recordOf(sample, sample.entries[2]!), entry), /record 0 of pack [0-9a-f]{32}/);
});

test("an id that is not that of the bytes is noticed, unless the tag is trusted", () => {
  const writer = new PackWriter({ tenant, packId: packIdOf(10), keys: sampleKeys, kind: "data" });
  const entry = writer.add(new Uint8Array(32).fill(5), plains[0]!);
  const pack = writer.finish();
  assert.throws(() => openRecord(sampleKeys, pack.packId, recordOf(pack, entry), entry), refusedAs("corruptChunk"));
  const into = new Uint8Array(5000);
  assert.equal(openRecord(sampleKeys, pack.packId, recordOf(pack, entry), entry, { trustTag: true, into }), into);
  assert.deepEqual(into, plains[0]);
  assert.throws(
    () => openRecord(sampleKeys, pack.packId, recordOf(pack, entry), entry, { trustTag: true, into: into.subarray(1) }),
    refusedAs("corruptChunk"),
  );
});

test("fuzz: every flipped bit and every cut of a record is corruptChunk or corruptPage", () => {
  const entry = sample.entries[1]!;
  const record = recordOf(sample, entry);
  for (let bit = 0; bit < record.length * 8; bit++) {
    const bytes = Uint8Array.from(record);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => openRecord(sampleKeys, sample.packId, bytes, entry, { trustTag: true }),
      refusedAs("corruptChunk", "corruptPage"),
      `bit ${bit}`,
    );
  }
  for (let length = 0; length < record.length; length++)
    assert.throws(() => openRecord(sampleKeys, sample.packId, record.subarray(0, length), entry), refusedAs("corruptChunk", "corruptPage"));
  assert.throws(() => openRecord(sampleKeys, sample.packId, Buffer.concat([record, Buffer.alloc(1)]), entry), refusedAs("corruptChunk"));
});

test("fuzz: a damaged pack never opens to wrong bytes, and the keyless check sees every damage", () => {
  fc.assert(
    fc.property(fc.nat(sample.bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Uint8Array.from(sample.bytes);
      bytes[at]! ^= change;
      const verified = triesTo(() => verifyPackCiphertext(bytes), "corruptPack", "newerFormat");
      assert.ok(verified === undefined || verified.damaged.length > 0, `byte ${at}`);
      for (const contents of [
        triesTo(() => readTrailer(bytes, bytes.length), "corruptPack", "newerFormat"),
        triesTo(() => scanPack(bytes), "corruptPack", "newerFormat"),
      ]) {
        for (const entry of contents?.entries ?? []) {
          const record = bytes.subarray(entry.offset, entry.offset + entry.length);
          const plain = triesTo(() => openRecord(sampleKeys, sample.packId, record, entry), "corruptChunk", "corruptPage");
          if (plain) assert.deepEqual(Buffer.from(plain), Buffer.from(plains[entry.slot]!));
        }
      }
    }),
    { numRuns: 400 },
  );
});

test("fuzz: a pack cut anywhere has no trailer, and a scan finds the records that are whole", () => {
  fc.assert(
    fc.property(fc.nat(sample.bytes.length - 1), (length) => {
      const bytes = sample.bytes.subarray(0, length);
      assert.throws(() => readTrailer(bytes, length), refusedAs("corruptPack"));
      if (length < 32) assert.throws(() => scanPack(bytes), refusedAs("corruptPack"));
      else assert.equal(scanPack(bytes).entries.length, sample.entries.filter((entry) => entry.offset + entry.length <= length).length);
    }),
    { numRuns: 300 },
  );
});

test("fuzz: random bytes are no pack", () => {
  const magics = fc.constantFrom("", "OCBRPACK\x01\0\x01", "OCBRTAIL\x01\0\x01", "OCBC\x01\x01").map((text) => Buffer.from(text, "latin1"));
  fc.assert(
    fc.property(magics, fc.uint8Array({ maxLength: 400 }), (magic, rest) => {
      const bytes = Buffer.concat([magic, rest]);
      assert.throws(() => readTrailer(bytes, bytes.length), refusedAs("corruptPack", "newerFormat"));
      assert.throws(() => verifyPackCiphertext(bytes), refusedAs("corruptPack", "newerFormat"));
      assert.deepEqual(triesTo(() => scanPack(bytes), "corruptPack", "newerFormat")?.entries ?? [], []);
    }),
  );
});

test("a pack of a later format is newerFormat", () => {
  const later = Uint8Array.from(sample.bytes);
  later[8] = 2;
  assert.throws(() => scanPack(later), refusedAs("newerFormat"));
  later[later.length - footerBytes + 8] = 2;
  assert.throws(() => readTrailer(later, later.length), refusedAs("newerFormat"));
});

test("a trailer is read from exactly the bytes that the footer asks for", () => {
  const size = sample.bytes.length;
  const length = trailerLength(sample.bytes.subarray(size - footerBytes), size);
  assert.equal(length, footerBytes + plains.length * trailerEntryBytes);
  assert.equal(readTrailer(sample.bytes.subarray(size - length), size).entries.length, plains.length);
  assert.throws(() => readTrailer(sample.bytes.subarray(size - length + 1), size), refusedAs("corruptPack"));
  assert.throws(() => readTrailer(sample.bytes.subarray(size - length), size + 1), refusedAs("corruptPack"));
});

test("fuzz: a trailer that is wrong but matches its hash is corruptPack, or lists what opens", () => {
  const size = sample.bytes.length;
  const start = size - footerBytes - plains.length * trailerEntryBytes;
  fc.assert(
    fc.property(fc.integer({ min: start, max: size - 33 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Uint8Array.from(sample.bytes);
      bytes[at]! ^= change;
      bytes.set(blake3(bytes.subarray(start, size - 32)), size - 32);
      const contents = triesTo(() => readTrailer(bytes, size), "corruptPack", "newerFormat");
      for (const entry of contents?.entries ?? []) {
        assert.ok(entry.offset + entry.length <= start);
        const record = bytes.subarray(entry.offset, entry.offset + entry.length);
        const plain = triesTo(() => openRecord(sampleKeys, contents!.packId, record, entry), "corruptChunk", "corruptPage");
        if (plain) assert.deepEqual(Buffer.from(plain), Buffer.from(plains[entry.slot]!));
      }
      const verified = triesTo(() => verifyPackCiphertext(bytes), "corruptPack", "newerFormat");
      assert.ok(verified === undefined || verified.damaged.length > 0, `byte ${at}`);
    }),
    { numRuns: 400 },
  );
});

test("an entry too long or a header of another kind is noticed even when every hash matches", () => {
  const one = packOf(11, [plains[0]!]);
  const size = one.bytes.length;
  const rehashed = (change: (bytes: Buffer, entryAt: number) => void): Uint8Array => {
    const bytes = Buffer.from(one.bytes);
    const entryAt = size - footerBytes - trailerEntryBytes;
    change(bytes, entryAt);
    bytes.set(blake3(bytes.subarray(entryAt, size - 32)), size - 32);
    return bytes;
  };
  const longer = rehashed((bytes, at) => {
    bytes.writeUInt32LE(5010, at + 12);
    bytes.writeUInt32LE(5010, at + 16);
  });
  assert.throws(() => readTrailer(longer, size), /do not fill it/);
  const ofPages = rehashed((bytes) => (bytes[10] = 2));
  assert.throws(() => verifyPackCiphertext(ofPages), refusedAs("corruptPack"));
});
