import type { ObjectStore } from "#storage/store.ts";
import type { SessionParts } from "./session.ts";
import { BackupSession } from "./session.ts";
import { decodeBinObject, getIfThere } from "./collect-bin.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { binObjectKey, hexOf } from "./layout.ts";
import { openRoot } from "./root.ts";
import type { Root } from "./root.ts";

/**
 * Brings a deleted backup back, as it was: false when it is not in the bin any more. It is done as a backup is made that reuses everything: in a
 * session, holding every pack that it needs, so that a collection that had left the backup out already does not take them. `missingChunk` when
 * something is gone.
 */
export async function undelete(
  parts: SessionParts & { reader: RepositoryReader; tenant: string; keys: TenantKeys },
  backupId: string,
): Promise<boolean> {
  const { store, reader, tenant, keys } = parts;
  const session = BackupSession.open(parts, { tenant, backupId, baseId: backupId });
  try {
    const key = binObjectKey(tenant, backupId);
    const object = await getIfThere(store, key);
    if (object === undefined) return false;
    const { root } = decodeBinObject(object, backupId);
    const { pageIds } = openRoot(keys, root, { tenant, backupId });
    for (let page = 0; page < pageIds.length / 32; page++) {
      session.keep();
      const pageId = pageIds.subarray(page * 32, page * 32 + 32);
      if (pageId.every((byte) => byte === 0)) continue;
      if (session.locate([pageId])[0] === undefined) throw gone(pageId);
      const flat = await reader.pageOf(tenant, keys, pageIds, page);
      const ids = Array.from({ length: (flat?.length ?? 0) / 32 }, (_, at) => flat!.subarray(at * 32, at * 32 + 32));
      const chunks = ids.filter((id) => id.some((byte) => byte !== 0));
      const lost = session.locate(chunks).indexOf(undefined);
      if (lost >= 0) throw gone(chunks[lost]!);
    }
    await session.commit(root);
    await store.delete(key);
    return true;
  } finally {
    session.close();
  }
}

/** The root object of a deleted backup, verified; undefined when it is not in the bin. */
export async function deletedRoot(store: ObjectStore, tenant: string, keys: TenantKeys, backupId: string): Promise<Root | undefined> {
  const object = await getIfThere(store, binObjectKey(tenant, backupId));
  return object && openRoot(keys, decodeBinObject(object, backupId).root, { tenant, backupId });
}

const gone = (id: Uint8Array): RepositoryError => new RepositoryError("missingChunk", `${hexOf(id)} is in no pack any more`);
