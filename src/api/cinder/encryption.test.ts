import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DomainError } from "#model/errors.ts";
import { ownMetadata, readEncryption, shownMetadata } from "./encryption.ts";

const cmkId = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const volumeKey = "k".repeat(64);
const asked = { owner: "ops", __system__encrypted: "1", __system__cmkid: cmkId, __system__volume_key: volumeKey };
const refused = (error: unknown) => error instanceof DomainError && error.code === "invalidRequest" && error.field?.startsWith("metadata.") === true;

describe("encryption asked for in a volume's metadata", () => {
  test("is parted from the user's own keys", () => {
    assert.deepEqual(readEncryption(asked), { metadata: { owner: "ops" }, encryption: { cmkId, volumeKey } });
    assert.deepEqual(readEncryption({ owner: "ops" }), { metadata: { owner: "ops" }, encryption: null });
    assert.deepEqual(readEncryption({ __system__encrypted: "0" }), { metadata: {}, encryption: null });
  });

  test("needs both ids, and is refused half", () => {
    const { __system__cmkid: _a, ...noId } = asked;
    const { __system__volume_key: _b, ...noKey } = asked;
    const { __system__encrypted: _c, ...noFlag } = asked;
    for (const metadata of [
      noId,
      noKey,
      noFlag,
      { ...asked, __system__volume_key: "short" },
      { ...asked, __system__cmkid: "x" },
      { ...asked, __system__encrypted: "maybe" },
    ]) {
      assert.throws(() => readEncryption(metadata), refused);
    }
  });

  test("is shown without the volume key, and sent back is taken as it was shown", () => {
    const volume = { metadata: { owner: "ops" }, encryption: { cmkId, volumeKey } };
    const shown = shownMetadata(volume);
    assert.ok(!JSON.stringify(shown).includes(volumeKey));
    assert.deepEqual(shown, { owner: "ops", __system__encrypted: "1", __system__cmkid: cmkId });
    assert.deepEqual(ownMetadata(volume, { ...shown, more: "1" }), { owner: "ops", more: "1" });
    assert.throws(() => ownMetadata(volume, { __system__encrypted: "0" }), refused);
    assert.throws(() => ownMetadata({ encryption: null }, { __system__volume_key: volumeKey }), refused);
  });
});
