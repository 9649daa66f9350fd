import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noise, refusedAs, sampleKeys, triesTo } from "./codec-samples.ts";
import { deriveTenantKeys } from "./keys.ts";
import { decodePage, encodePage, flatPageBytes, isHolePage, pageChunks, pageIdOf } from "./page.ts";

/** Pages of runs of holes and of ids. */
const pages = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 400 })), { maxLength: 12 }).map((runs) => {
  const flat = new Uint8Array(flatPageBytes);
  let place = 0;
  for (const [data, length] of runs)
    for (let end = Math.min(pageChunks, place + length); place < end; place++) if (data) flat.set(noise(place, 32), place * 32);
  return flat;
});

test("a page is decoded to what was encoded, and has one encoding", () => {
  fc.assert(
    fc.property(pages, (flat) => {
      const encoded = encodePage(flat);
      assert.deepEqual(decodePage(encoded), flat);
      assert.deepEqual(encodePage(decodePage(encoded)), encoded);
      assert.equal(isHolePage(flat), encoded.length === 5);
    }),
  );
});

test("holes cost nothing, ids 32 bytes", () => {
  const flat = new Uint8Array(flatPageBytes);
  assert.deepEqual([...encodePage(flat)], [1, 0, 4, 0, 0]);
  flat.set(noise(1, 32), 5 * 32);
  assert.equal(encodePage(flat).length, 1 + 4 + 32 + 4);
  assert.equal(encodePage(noise(2, flatPageBytes)).length, 1 + 4 + flatPageBytes);
  const every = noise(3, flatPageBytes);
  for (let place = 0; place < pageChunks; place += 2) every.fill(0, place * 32, place * 32 + 32);
  assert.deepEqual(decodePage(encodePage(every)), every);
});

test("a page need not be aligned in memory", () => {
  const flat = noise(4, flatPageBytes);
  const shifted = new Uint8Array(flatPageBytes + 3);
  shifted.set(flat, 3);
  assert.deepEqual(encodePage(shifted.subarray(3)), encodePage(flat));
  assert.equal(isHolePage(new Uint8Array(flatPageBytes + 1).subarray(1)), true);
});

test("a page's id is its tenant's own", () => {
  const encoded = encodePage(noise(5, flatPageBytes));
  assert.equal(pageIdOf(sampleKeys, encoded).length, 32);
  assert.notDeepEqual(pageIdOf(sampleKeys, encoded), pageIdOf(deriveTenantKeys(new Uint8Array(32)), encoded));
});

test("other encodings of the same page are refused", () => {
  const id = [...noise(1, 32)];
  const u16 = (value: number): number[] => [value & 255, value >> 8];
  const cases: Record<string, number[]> = {
    "runs split in two": [1, ...u16(0), ...u16(1), ...id, ...u16(0), ...u16(1), ...id, ...u16(1022), ...u16(0)],
    "holes split in two": [1, ...u16(4), ...u16(0), ...u16(1020), ...u16(0)],
    "an id of zeros": [1, ...u16(0), ...u16(1), ...Array.from({ length: 32 }, () => 0), ...u16(1023), ...u16(0)],
    "too many places": [1, ...u16(1025), ...u16(0)],
    "too many ids": [1, ...u16(1024), ...u16(1), ...id],
    "bytes behind": [1, ...u16(1024), ...u16(0), 0],
    "an empty group": [1, ...u16(0), ...u16(0), ...u16(1024), ...u16(0)],
    nothing: [],
    "version 0": [0, ...u16(1024), ...u16(0)],
  };
  for (const [name, bytes] of Object.entries(cases)) assert.throws(() => decodePage(Uint8Array.from(bytes)), refusedAs("corruptPage"), name);
  assert.throws(() => decodePage(Uint8Array.from([2, 0, 4, 0, 0])), refusedAs("newerFormat"));
  assert.throws(() => encodePage(new Uint8Array(32)), refusedAs("invalidRequest"));
});

test("fuzz: whatever decodes is the one encoding of its page", () => {
  const damaged = fc.tuple(pages, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([flat, at, value]) => {
    const bytes = encodePage(flat);
    bytes[at % Math.min(bytes.length, 50)] = value;
    return bytes;
  });
  const cut = fc.tuple(pages, fc.nat()).map(([flat, at]) => encodePage(flat).subarray(0, at % 40000));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged, cut), (bytes) => {
      const flat = triesTo(() => decodePage(bytes), "corruptPage", "newerFormat");
      if (flat) assert.deepEqual(Buffer.from(encodePage(flat)), Buffer.from(bytes));
    }),
    { numRuns: 400 },
  );
});
