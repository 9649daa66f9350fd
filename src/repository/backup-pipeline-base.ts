import { DamageReporter } from "./damage-report.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupRequest, DamagedRange } from "./engine-types.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { pageChunks } from "./page.ts";
import type { Root } from "./root.ts";

interface Parts {
  index: ChunkIndex;
  reader: RepositoryReader;
}

/** What a backup is compared with: the page ids of its base, and what the base has lost, which is to be read and stored again. */
export async function openBase(
  parts: Parts,
  { tenant, baseId, chunkBytes }: BackupRequest,
  keys: TenantKeys,
): Promise<{ pageIds: Uint8Array; lost: DamagedRange[]; root: Root | undefined }> {
  if (baseId === undefined) return { pageIds: new Uint8Array(0), lost: [], root: undefined };
  const root = await parts.reader.root(tenant, keys, baseId);
  if (root === undefined) throw new RepositoryError("missingRoot", `baseId ${baseId}: this backup has no root object`);
  if (root.chunkBytes !== chunkBytes)
    throw new RepositoryError("baseNotComparable", `baseId ${baseId}: it has chunks of ${root.chunkBytes} bytes, this backup of ${chunkBytes}`);
  return { pageIds: root.pageIds, lost: await new DamageReporter(parts, tenant, keys).rangesOf(root), root };
}

/**
 * Tells the index which packs these pages refer to, where it does not know (any more): damage that was found or healed makes it forget.
 * Errors: `corruptPage` for a page that cannot be read.
 */
export async function tellPagePacks({ index, reader }: Parts, tenant: string, keys: TenantKeys, pageIds: readonly Uint8Array[]): Promise<void> {
  for (const pageId of index.pagesWithoutPacks(tenant, pageIds)) {
    const flat = await reader.pageOf(tenant, keys, pageId, 0);
    const ids = Array.from({ length: pageChunks }, (_, at) => flat!.subarray(at * 32, at * 32 + 32)).filter((id) => id.some((byte) => byte !== 0));
    const packIds = index.lookup(tenant, ids).flatMap((place) => (place === undefined ? [] : [place.packId]));
    index.recordPagePacks(tenant, pageId, packIds);
  }
}
