import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Volume, VolumeEncryption } from "#model/resource.ts";
import { readBoolean } from "../query.ts";

/** EVS's convention: encryption is asked for through these keys of a volume's metadata. */
const encryptedKey = "__system__encrypted";
const cmkIdKey = "__system__cmkid";
const volumeKeyKey = "__system__volume_key";

/**
 * Parts a volume's metadata into the user's own and what it says of encryption.
 * Asking for encryption without a key id (UUID) or a wrapped volume key (64 characters) is an error.
 */
export function readEncryption(metadata: Readonly<Record<string, string>>): {
  metadata: Record<string, string>;
  encryption: VolumeEncryption | null;
} {
  const { [encryptedKey]: encrypted, [cmkIdKey]: cmkId, [volumeKeyKey]: volumeKey, ...own } = metadata;
  const wanted = encrypted === undefined ? false : readBoolean(encrypted);
  const fail = (key: string, message: string): never => {
    throw new DomainError("invalidRequest", `metadata.${key}: ${message}`, { field: `metadata.${key}` });
  };
  if (wanted === undefined) return fail(encryptedKey, "must be 0 or 1");
  if (!wanted) {
    if (cmkId !== undefined) fail(cmkIdKey, `needs ${encryptedKey} to be 1`);
    if (volumeKey !== undefined) fail(volumeKeyKey, `needs ${encryptedKey} to be 1`);
    return { metadata: own, encryption: null };
  }
  if (cmkId === undefined || !isUuid(cmkId.toLowerCase())) return fail(cmkIdKey, "must be a UUID");
  if (volumeKey === undefined || !/^[\x21-\x7e]{64}$/.test(volumeKey)) return fail(volumeKeyKey, "must have 64 printable characters");
  return { metadata: own, encryption: { cmkId: cmkId.toLowerCase(), volumeKey } };
}

/** A volume's metadata as answers show it: with the fact of encryption and the key's id, never with the volume key. */
export function shownMetadata(volume: Pick<Volume, "metadata" | "encryption">): Record<string, string> {
  if (volume.encryption === null) return volume.metadata;
  return { ...volume.metadata, [encryptedKey]: "1", [cmkIdKey]: volume.encryption.cmkId };
}

/** The user's own part of metadata that a client sends back, with what {@link shownMetadata} added taken out. Encryption cannot be changed. */
export function ownMetadata(volume: Pick<Volume, "encryption">, metadata: Readonly<Record<string, string>>): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [key, value] of Object.entries(metadata)) {
    const same =
      (key === encryptedKey && readBoolean(value) === (volume.encryption !== null)) || (key === cmkIdKey && value === volume.encryption?.cmkId);
    if (same) continue;
    if (key === encryptedKey || key === cmkIdKey || key === volumeKeyKey) {
      throw new DomainError("invalidRequest", `metadata.${key}: encryption of a volume cannot be changed`, { field: `metadata.${key}` });
    }
    own[key] = value;
  }
  return own;
}
