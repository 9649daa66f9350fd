import { Blake3Hasher } from "@napi-rs/blake-hash";
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Random } from "#platform/random.ts";
import { ChunkHasher } from "./chunk-id.ts";
import { RepositoryError } from "./engine-types.ts";

/*
 * Wrapped tenant data key, the object `t/<tenant>/key`; integers little-endian:
 *
 *   0   8  magic "OCBRTKEY"
 *   8   2  version, 1
 *  10   2  T, length of the tenant's name
 *  12   T  tenant's name, UTF-8
 *   ·  12  nonce, random
 *   ·  32  data key, AES-256-GCM under derive(wrap, master key)
 *   ·  16  tag; additional data = everything before the nonce
 */
const tenantKeyMagic = Buffer.from("OCBRTKEY", "latin1");
const version = 1;

/** BLAKE3 derive_key contexts. They are part of the format: a change of one is a change of the format's version. */
const contexts = {
  masterCheck: "opencbr repository v1: master key check",
  masterId: "opencbr repository v1: master key id",
  wrap: "opencbr repository v1: tenant key wrapping",
  chunkId: "opencbr repository v1: chunk id",
  pageId: "opencbr repository v1: page id",
  pack: "opencbr repository v1: packs",
  onePack: "opencbr repository v1: one pack",
  root: "opencbr repository v1: roots",
  oneRoot: "opencbr repository v1: one root",
  offer: "opencbr replication v1: references",
  replicaRefs: "opencbr replication v1: known references",
} as const;

/** Keys of one tenant, 32 bytes each. */
export interface TenantKeys {
  /** Keys the BLAKE3 hash that is a chunk's id. */
  chunkId: Uint8Array;
  /** Keys the BLAKE3 hash that is a page's id, and the Merkle root over pages. */
  pageId: Uint8Array;
  /** Every pack's own key is derived from this and the pack's id. */
  pack: Uint8Array;
  /** Every root object's own key is derived from this and the root's salt. */
  root: Uint8Array;
}

const derive = (context: keyof typeof contexts, ...material: Uint8Array[]): Buffer =>
  Blake3Hasher.deriveKey(contexts[context], material.length === 1 ? (material[0] as Uint8Array) : Buffer.concat(material));

function require32(name: string, key: Uint8Array): void {
  if (key.length !== 32) throw new RepositoryError("invalidRequest", `${name} has ${key.length} bytes, not 32`);
}

/** What the repository record keeps so that a wrong master key is told before anything is read. Hex, 32 bytes. */
export function masterKeyCheck(masterKey: Uint8Array, repositoryId: string): string {
  require32("master key", masterKey);
  return derive("masterCheck", masterKey, Buffer.from(repositoryId, "utf8")).toString("hex");
}

/** Names a master key in the store without telling it: 32 hex digits. */
export function masterKeyId(masterKey: Uint8Array): string {
  require32("master key", masterKey);
  return derive("masterId", masterKey).toString("hex", 0, 16);
}

export function deriveTenantKeys(dataKey: Uint8Array): TenantKeys {
  require32("data key", dataKey);
  return { chunkId: derive("chunkId", dataKey), pageId: derive("pageId", dataKey), pack: derive("pack", dataKey), root: derive("root", dataKey) };
}

/** AES-256 key of one pack. `packId`: 16 bytes, never used twice. */
export const packKey = (keys: TenantKeys, packId: Uint8Array): Uint8Array => derive("onePack", keys.pack, packId);

/** AES-256 key of one root object. `salt`: 16 random bytes, new for every sealing. */
export const rootKey = (keys: TenantKeys, salt: Uint8Array): Uint8Array => derive("oneRoot", keys.root, salt);

/** Keys the references under which a tenant's chunks and pages are offered to one audience. */
export const offerKey = (keys: TenantKeys, audience: string): Uint8Array => derive("offer", keys.chunkId, Buffer.from(audience, "utf8"));

/** Keys what a tenant remembers of the references of one source. */
export const replicaRefsKey = (keys: TenantKeys, source: string): Uint8Array => derive("replicaRefs", keys.chunkId, Buffer.from(source, "utf8"));

const hashers = new WeakMap<Uint8Array, ChunkHasher>();

/** Keyed BLAKE3, 32 bytes. `key` must not be changed in place while it is used here. */
export function keyedHash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  let hasher = hashers.get(key);
  if (!hasher) hashers.set(key, (hasher = new ChunkHasher(key)));
  return hasher.idOf(bytes);
}

/** Id of a chunk: 32 bytes that say nothing of the content without the tenant's key. */
export const chunkIdOf = (keys: TenantKeys, plain: Uint8Array): Uint8Array => keyedHash(keys.chunkId, plain);

/** A new data key for a tenant, and the object that keeps it under the master key. */
export function createTenantKey(masterKey: Uint8Array, tenant: string, random: Random): { dataKey: Uint8Array; wrapped: Uint8Array } {
  const dataKey = random.bytes(32);
  return { dataKey, wrapped: wrapTenantKey(masterKey, tenant, dataKey, random) };
}

export function wrapTenantKey(masterKey: Uint8Array, tenant: string, dataKey: Uint8Array, random: Random): Uint8Array {
  require32("master key", masterKey);
  require32("data key", dataKey);
  const name = Buffer.from(tenant, "utf8");
  const header = Buffer.alloc(12 + name.length);
  tenantKeyMagic.copy(header);
  header.writeUInt16LE(version, 8);
  header.writeUInt16LE(name.length, 10);
  name.copy(header, 12);
  const nonce = random.bytes(12);
  const cipher = createCipheriv("aes-256-gcm", derive("wrap", masterKey), nonce).setAAD(header);
  return Buffer.concat([header, nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}

/**
 * The tenant's data key.
 * Errors: `newerFormat`; `wrongMasterKey` when the object does not open for this tenant: another master key, another tenant's object, or damage.
 */
export function unwrapTenantKey(masterKey: Uint8Array, tenant: string, wrapped: Uint8Array): Uint8Array {
  require32("master key", masterKey);
  const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.length);
  const refuse = (what: string, cause?: unknown): RepositoryError =>
    new RepositoryError("wrongMasterKey", `the key object of tenant ${tenant} ${what}`, cause);
  if (bytes.length < 12 || !bytes.subarray(0, 8).equals(tenantKeyMagic)) throw refuse("is not a wrapped key");
  if (bytes.readUInt16LE(8) > version)
    throw new RepositoryError("newerFormat", `the key object of tenant ${tenant} is of format ${bytes.readUInt16LE(8)}`);
  const headerLength = 12 + bytes.readUInt16LE(10);
  if (bytes.readUInt16LE(8) !== version || bytes.length !== headerLength + 60) throw refuse("has a wrong version or length");
  if (bytes.toString("utf8", 12, headerLength) !== tenant) throw refuse("is another tenant's");
  const nonce = bytes.subarray(headerLength, headerLength + 12);
  const decipher = createDecipheriv("aes-256-gcm", derive("wrap", masterKey), nonce, { authTagLength: 16 });
  decipher.setAAD(bytes.subarray(0, headerLength)).setAuthTag(bytes.subarray(headerLength + 44));
  const dataKey = decipher.update(bytes.subarray(headerLength + 12, headerLength + 44));
  try {
    decipher.final();
  } catch (cause) {
    throw refuse("does not open with this master key", cause);
  }
  return dataKey;
}
