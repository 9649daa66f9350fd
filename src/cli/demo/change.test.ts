import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { blockBytes, pickChanges } from "./change.ts";

const extents = fc.array(fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 1, max: 3_000_000 })), { maxLength: 8 }).map((pairs) => {
  let at = 0;
  return pairs.map(([gap, length]) => {
    const extent = { offset: at + gap, length };
    at += gap + length;
    return extent;
  });
});

test("changes are whole blocks inside the data, ascending and disjoint, and about the share that was asked for", () => {
  fc.assert(
    fc.property(extents, fc.double({ min: 0.005, max: 0.1, noNaN: true }), (data, share) => {
      const changes = pickChanges(data, share, systemRandom);
      let last = 0;
      for (const { offset, length } of changes) {
        assert.ok(offset >= last && offset % blockBytes === 0 && length % blockBytes === 0 && length > 0);
        assert.ok(data.some((extent) => offset >= extent.offset && offset + length <= extent.offset + extent.length));
        last = offset + length;
      }
      const blocks = data.reduce(
        (sum, { offset, length }) => sum + Math.max(0, Math.floor((offset + length) / blockBytes) - Math.ceil(offset / blockBytes)),
        0,
      );
      assert.equal(changes.length, blocks === 0 ? 0 : Math.max(1, Math.round((blocks * share) / 9)));
    }),
  );
});

test("two percent of a large extent is close to two percent", () => {
  const changes = pickChanges([{ offset: 0, length: 100 * 1024 * 1024 }], 0.02, systemRandom);
  const changed = changes.reduce((sum, { length }) => sum + length, 0);
  assert.ok(Math.abs(changed / (100 * 1024 * 1024) - 0.02) < 0.001, String(changed));
});
