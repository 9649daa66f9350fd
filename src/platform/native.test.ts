import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codec, isPageAligned, nativeCodec, pageAligned, portableCodec } from "./native.ts";

const native = nativeCodec();
const portable = portableCodec();

test("this Node exports what the native codec needs, so that it is what runs", () => {
  assert.ok(native);
  assert.equal(codec().name, "native");
});

test("both compress to the same bytes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 5 }),
      (piece, times, level) => {
        const plain = Buffer.alloc(piece.length * times, piece);
        const outs = [native ?? portable, portable].map((one) => {
          const out = Buffer.alloc(plain.length + 1000);
          return out.subarray(0, one.compress(plain, out, level));
        });
        assert.ok(outs[0]!.equals(outs[1]!));
      },
    ),
  );
});

for (const [writer, reader] of [
  [native ?? portable, portable],
  [portable, native ?? portable],
] as const) {
  test(`what ${writer.name} writes, ${reader.name} reads`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.integer({ min: 1, max: 5 }),
        (plain, key, nonce, aad, level) => {
          const packed = new Uint8Array(plain.length + 1000);
          const packedLength = writer.compress(plain, packed, level);
          const unpacked = new Uint8Array(plain.length);
          assert.equal(reader.decompress(packed.subarray(0, packedLength), unpacked), plain.length);
          assert.deepEqual(unpacked, plain);
          const sealed = plain.slice();
          const tag = new Uint8Array(16);
          writer.seal(key, nonce, aad, sealed, sealed, tag);
          const opened = new Uint8Array(plain.length);
          assert.equal(reader.open(key, nonce, aad, sealed, tag, opened), true);
          assert.deepEqual(opened, plain);
          assert.equal(reader.open(key, nonce, aad, sealed, tag, sealed), true);
          assert.deepEqual(sealed, plain);
        },
      ),
      { numRuns: 200 },
    );
  });

  test(`${reader.name} refuses damage and returns no plain bytes`, () => {
    const key = new Uint8Array(32).fill(7);
    const nonce = new Uint8Array(12).fill(9);
    const plain = new Uint8Array(999).map((_, at) => at);
    const aad = Uint8Array.of(1, 2, 3);
    const sealed = new Uint8Array(plain.length + 16);
    const open = (bytes: Uint8Array, into: Uint8Array, withAad = aad): boolean =>
      reader.open(key, nonce, withAad, bytes.subarray(0, plain.length), bytes.subarray(plain.length), into);
    writer.seal(key, nonce, aad, plain, sealed, sealed.subarray(plain.length));
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = sealed.slice();
        damaged[at]! ^= mask;
        const opened = new Uint8Array(plain.length);
        assert.equal(open(damaged, opened), false);
        assert.ok(opened.every((byte) => byte === 0));
      }),
      { numRuns: 200 },
    );
    assert.equal(open(sealed, new Uint8Array(999), Uint8Array.of(1, 2, 4)), false);
    assert.throws(() => open(sealed, new Uint8Array(998)), RangeError);
    assert.throws(() => open(sealed.subarray(0, 1000), new Uint8Array(999)), RangeError);
  });

  test(`${reader.name} never writes past the room it is given`, () => {
    const plain = new Uint8Array(10_000).fill(5);
    const packed = new Uint8Array(2000);
    const length = writer.compress(plain, packed, 1);
    assert.ok(length > 0);
    assert.equal(reader.decompress(packed.subarray(0, length), new Uint8Array(9_999)), -1);
    assert.equal(reader.decompress(packed.subarray(0, length - 1), new Uint8Array(10_000)), -1);
    assert.equal(writer.compress(plain, new Uint8Array(3), 1), 0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        assert.ok(reader.decompress(junk, new Uint8Array(64)) <= 64);
      }),
    );
  });
}

test("page-aligned memory knows itself", () => {
  const memory = pageAligned(100_000);
  assert.ok(memory.length >= 100_000);
  assert.equal(isPageAligned(memory.subarray(4096)), true);
  assert.equal(isPageAligned(memory.subarray(1)), false);
  assert.equal(isPageAligned(new Uint8Array(4096)), false);
});
