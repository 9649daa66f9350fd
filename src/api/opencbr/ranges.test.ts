import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DomainError } from "#model/errors.ts";
import { maxWriteBytes, readContentRange, readRange } from "./ranges.ts";

const code = (wanted: string) => (error: unknown) => error instanceof DomainError && error.code === wanted;

describe("Range", () => {
  test("first-last, first-, -suffix", () => {
    assert.deepEqual(readRange("bytes=0-99", 1000), { offset: 0, length: 100 });
    assert.deepEqual(readRange("bytes=900-", 1000), { offset: 900, length: 100 });
    assert.deepEqual(readRange("bytes=-10", 1000), { offset: 990, length: 10 });
    assert.deepEqual(readRange("bytes=-5000", 1000), { offset: 0, length: 1000 });
    assert.deepEqual(readRange("bytes=990-5000", 1000), { offset: 990, length: 10 });
  });

  test("what is no single byte range means the whole", () => {
    for (const header of [undefined, "", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b"])
      assert.equal(readRange(header, 1000), undefined, String(header));
  });

  test("beyond the end cannot be satisfied", () => {
    for (const header of ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
      assert.throws(() => readRange(header, 1000), code("rangeNotSatisfiable"), header);
    assert.throws(() => readRange("bytes=0-", 0), code("rangeNotSatisfiable"));
  });

  test("whatever is sent, the range lies inside", () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.option(fc.nat(6000)), fc.option(fc.nat(6000)), (size, first, last) => {
        const header = `bytes=${first ?? ""}-${last ?? ""}`;
        try {
          const range = readRange(header, size);
          if (range === undefined) return;
          assert.ok(range.offset >= 0 && range.length > 0 && range.offset + range.length <= size, `${header} of ${size}`);
        } catch (error) {
          assert.ok(error instanceof DomainError && error.code === "rangeNotSatisfiable");
        }
      }),
    );
  });
});

describe("Content-Range", () => {
  test("must be there, and say what the body has", () => {
    assert.deepEqual(readContentRange("bytes 4096-8191/*", 4096), { offset: 4096, length: 4096 });
    assert.deepEqual(readContentRange("bytes 0-0/1", 1), { offset: 0, length: 1 });
    const wrong: [string | undefined, number][] = [
      [undefined, 1],
      ["bytes 0-9/*", 9],
      ["bytes 9-0/*", 1],
      ["bytes 0-9/5", 10],
      ["bytes */10", 1],
      [`bytes 0-${maxWriteBytes}/*`, maxWriteBytes + 1],
    ];
    for (const [header, length] of wrong) assert.throws(() => readContentRange(header, length), code("invalidRequest"), String(header));
  });

  test("whatever is sent, a range or a refusal", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (header, length) => {
        assert.throws(() => readContentRange(header, length), code("invalidRequest"));
      }),
    );
  });
});
