import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noise } from "../../test/support/world.ts";
import { CompressionGate } from "./compression-gate.ts";
import { compress } from "./record.ts";

const chunk = 65_536;
const into = new Uint8Array(chunk);
const text = (n: number): Uint8Array => Buffer.alloc(chunk, `line ${n} of something that repeats itself; `);

/** What is stored of a segment's chunks, and how many were tried. */
function segment(chunks: readonly Uint8Array[]): { tried: number; compressed: boolean[] } {
  const gate = new CompressionGate(1);
  let tried = 0;
  const compressed = chunks.map((plain) => {
    if (!gate.isWorthTrying(plain)) return false;
    tried++;
    const paid = compress(plain, 1, into) > 0;
    gate.tell(paid);
    return paid;
  });
  return { tried, compressed };
}

test("of random chunks two are tried in each segment, however many there are", () => {
  const { tried, compressed } = segment(Array.from({ length: 64 }, (_, n) => noise(chunk, n)));
  assert.equal(tried, 2);
  assert.ok(compressed.every((each) => !each));
});

test("what compresses as a whole is compressed wherever it comes; the answer depends on nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 64 }), (kinds) => {
      const chunks = kinds.map((isText, n) => (isText ? text(n) : noise(chunk, n)));
      const { tried, compressed } = segment(chunks);
      assert.deepEqual(compressed, kinds);
      assert.ok(tried <= 2 + 3 * kinds.filter(Boolean).length);
      assert.deepEqual(segment(chunks), { tried, compressed });
    }),
    { numRuns: 50 },
  );
});

test("a chunk that is half random is compressed too; one too small to be sampled is tried", () => {
  const random = [noise(chunk, 1), noise(chunk, 2), noise(chunk, 3)];
  const half = Buffer.concat([noise(chunk / 2, 4), text(5).subarray(0, chunk / 2)]);
  assert.deepEqual(segment([...random, half]).compressed, [false, false, false, true]);
  assert.deepEqual(segment([...random, text(6).subarray(0, 1000)]).compressed, [false, false, false, true]);
});
