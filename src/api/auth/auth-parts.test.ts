import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "#platform/random.ts";
import { standingClock } from "../../../test/support/identity-listener.ts";
import { createFailureLimiter } from "./failure-limiter.ts";
import { hashPassword, verifyPassword } from "./password.ts";
import { deriveIdentityKeys, openSecret, SealedSecretError, sealSecret } from "./secrets.ts";

const cheap = { ln: 4, r: 8, p: 1 };

describe("sealed secrets", () => {
  const { secret: key, token } = deriveIdentityKeys(new Uint8Array(32).fill(1));

  test("open under the same key and name, and under no other", () => {
    const sealed = sealSecret(key, "AK1", "the secret", systemRandom);
    assert.equal(openSecret(key, "AK1", sealed), "the secret");
    assert.throws(() => openSecret(key, "AK2", sealed), SealedSecretError);
    assert.throws(() => openSecret(token, "AK1", sealed), SealedSecretError);
    assert.throws(() => openSecret(deriveIdentityKeys(new Uint8Array(32)).secret, "AK1", sealed), SealedSecretError);
    assert.ok(!Buffer.from(sealed).includes("the secret"));
  });

  test("a change of any byte, or a cut, is noticed", () => {
    const sealed = sealSecret(key, "AK1", "the secret", systemRandom);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Uint8Array.from(sealed);
      changed[at]! ^= 1;
      assert.throws(() => openSecret(key, "AK1", changed), SealedSecretError, `byte ${at}`);
      assert.throws(() => openSecret(key, "AK1", sealed.subarray(0, at)), SealedSecretError, `cut at ${at}`);
    }
  });

  test("a master key of another length is refused", () => {
    assert.throws(() => deriveIdentityKeys(new Uint8Array(31)), RangeError);
  });
});

describe("passwords", () => {
  // RFC 7914 §12, third vector: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1, 64)
  const published =
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
  const base64 = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");

  test("the published vector verifies", async () => {
    const stored = `$scrypt$ln=14,r=8,p=1$${base64(Buffer.from("SodiumChloride"))}$${base64(Buffer.from(published, "hex"))}`;
    assert.equal(await verifyPassword("pleaseletmein", stored), true);
    assert.equal(await verifyPassword("pleaseletmeiN", stored), false);
  });

  test("a hash verifies its password only, and two hashes of one password differ", async () => {
    const one = await hashPassword("ä secret", systemRandom, cheap);
    assert.match(one, /^\$scrypt\$ln=4,r=8,p=1\$/);
    assert.notEqual(one, await hashPassword("ä secret", systemRandom, cheap));
    assert.equal(await verifyPassword("ä secret".normalize("NFD"), one), true);
    assert.equal(await verifyPassword("a secret", one), false);
  });

  test("a text that is no hash, or asks for too much work, never matches", async () => {
    await fc.assert(fc.asyncProperty(fc.string(), async (stored) => assert.equal(await verifyPassword("x", stored), false)));
    assert.equal(await verifyPassword("x", "$scrypt$ln=30,r=8,p=1$AAAA$AAAA"), false);
    assert.equal(await verifyPassword("x", "$scrypt$ln=10,r=99,p=1$AAAA$AAAA"), false);
  });
});

describe("failures in a row", () => {
  const limits = { failures: 3, lockSeconds: 60, maxNames: 2 };

  test("lock the name until its time is over; a success forgets them", () => {
    const clock = standingClock(0);
    const limiter = createFailureLimiter(clock, limits);
    limiter.fail("a");
    limiter.fail("a");
    limiter.succeed("a");
    limiter.fail("a");
    limiter.fail("a");
    assert.equal(limiter.lockedForSeconds("a"), 0);
    limiter.fail("a");
    assert.equal(limiter.lockedForSeconds("a"), 60);
    assert.equal(limiter.lockedForSeconds("b"), 0);
    clock.set(59_500_000);
    assert.equal(limiter.lockedForSeconds("a"), 1);
    clock.set(60_000_000);
    assert.equal(limiter.lockedForSeconds("a"), 0);
    limiter.fail("a");
    assert.equal(limiter.lockedForSeconds("a"), 0);
  });

  test("are remembered for so many names and no more", () => {
    const limiter = createFailureLimiter(standingClock(0), { ...limits, failures: 1 });
    for (const name of ["a", "b", "c"]) limiter.fail(name);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => limiter.lockedForSeconds(name) > 0),
      [false, true, true],
    );
  });
});
