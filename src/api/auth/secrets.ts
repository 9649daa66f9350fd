import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import type { Random } from "#platform/random.ts";
import type { SecretBox } from "#services/context.ts";

/** Bytes of the master key. */
export const masterKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const version = 1;

/** Keys that identity needs, derived from the master key: none of them is stored. */
export interface IdentityKeys {
  /** Signs tokens. */
  token: Uint8Array;
  /** Seals the secrets of access keys. */
  secret: Uint8Array;
  /** Seals the secrets of webhooks. */
  webhook: Uint8Array;
}

/** HKDF-SHA256 (RFC 5869) with a label per purpose. @throws RangeError when the master key is not 32 bytes */
export function deriveIdentityKeys(masterKey: Uint8Array): IdentityKeys {
  if (masterKey.length !== masterKeyBytes) throw new RangeError(`the master key has ${masterKey.length} bytes; ${masterKeyBytes} are needed`);
  const derive = (purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", masterKey, new Uint8Array(0), `opencbr identity v1 ${purpose}`, 32));
  return { token: derive("token"), secret: derive("access key secret"), webhook: derive("webhook secret") };
}

/** A sealed secret does not open: another master key, or changed bytes. */
export class SealedSecretError extends Error {
  override readonly name = "SealedSecretError";
}

/**
 * Version byte, nonce (12), AES-256-GCM ciphertext, tag (16). `name` (the AK) is authenticated with it, so that a sealed secret cannot be moved to
 * another key's row.
 */
export function sealSecret(key: Uint8Array, name: string, secret: string, random: Random): Uint8Array {
  const nonce = random.bytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(name, "utf8"));
  return Buffer.concat([Uint8Array.of(version), nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what {@link sealSecret} sealed. @throws SealedSecretError */
export function openSecret(key: Uint8Array, name: string, sealed: Uint8Array): string {
  if (sealed.length < 1 + nonceBytes + tagBytes || sealed[0] !== version) throw new SealedSecretError(`the secret of ${name} has an unknown form`);
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(1, 1 + nonceBytes));
  decipher.setAAD(Buffer.from(name, "utf8"));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(1 + nonceBytes, sealed.length - tagBytes)), decipher.final()]).toString("utf8");
  } catch (error) {
    throw new SealedSecretError(`the secret of ${name} does not open with this master key`, { cause: error });
  }
}

/** A {@link SecretBox} of one key. */
export const createSecretBox = (key: Uint8Array, random: Random): SecretBox => ({
  seal: (name, secret) => sealSecret(key, name, secret, random),
  open: (name, sealed) => openSecret(key, name, sealed),
});
