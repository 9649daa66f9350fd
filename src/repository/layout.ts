import { RepositoryError } from "./engine-types.ts";

/** Where the objects of a repository are kept: every key of the store is made here. */

export const repositoryRecordKey = "opencbr-repository.json";

const segment = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;
const packKeyPattern = /^t\/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})\/packs\/([0-9a-f]{2})\/([0-9a-f]{32})$/;

function checked(name: string, value: string): string {
  if (!segment.test(value))
    throw new RepositoryError("invalidRequest", `${name} ${JSON.stringify(value)} is not a name of letters, digits, ".", "_" and "-"`);
  return value;
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");

/** Prefix of every key that holds this tenant's data, with the last `/`. */
export const tenantPrefix = (tenant: string): string => `t/${checked("tenant", tenant)}/`;
export const tenantKeyObjectKey = (tenant: string): string => `${tenantPrefix(tenant)}key`;
/** Prefix of the tenant's data key under each master key that has come since the first. */
export const tenantKeysPrefix = (tenant: string): string => `${tenantPrefix(tenant)}keys/`;
/** Tells that the tenant's key was destroyed on purpose. */
export const keyDestroyedObjectKey = (tenant: string): string => `${tenantPrefix(tenant)}key-destroyed`;
/** Prefix of the objects that tell which master keys open the store, once there has been more than one. */
export const masterKeysPrefix = "master-keys/";
export const rootPrefix = (tenant: string): string => `${tenantPrefix(tenant)}roots/`;
export const rootObjectKey = (tenant: string, backupId: string): string => `${rootPrefix(tenant)}${checked("backup id", backupId)}`;
/** Prefix of the root objects of backups that were deleted and may still be brought back. */
export const binPrefix = (tenant: string): string => `${tenantPrefix(tenant)}bin/`;
export const binObjectKey = (tenant: string, backupId: string): string => `${binPrefix(tenant)}${checked("backup id", backupId)}`;
export const packPrefix = (tenant: string): string => `${tenantPrefix(tenant)}packs/`;
/** Tells how often something has been deleted from the store by collection. */
export const generationPrefix = "collect/generation/";
export const generationObjectKey = (generation: number): string => `${generationPrefix}${String(generation).padStart(12, "0")}`;

export function packObjectKey(tenant: string, packId: Uint8Array): string {
  if (packId.length !== 16) throw new RepositoryError("invalidRequest", `pack id has ${packId.length} bytes, not 16`);
  const hex = hexOf(packId);
  return `${tenantPrefix(tenant)}packs/${hex.slice(0, 2)}/${hex}`;
}

/** What a pack's key says, or undefined when the key is not a pack's. */
export function parsePackKey(key: string): { tenant: string; packId: Uint8Array } | undefined {
  const match = packKeyPattern.exec(key);
  if (!match?.[1] || !match[3] || !match[3].startsWith(match[2] ?? "-")) return undefined;
  return { tenant: match[1], packId: Buffer.from(match[3], "hex") };
}
