import { messageOf } from "./check-pack.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf, rootObjectKey } from "./layout.ts";
import { pageChunks } from "./page.ts";
import type { Root } from "./root.ts";
import type { RecordKind } from "./record.ts";

/** What a walk through every backup of a tenant met. */
export interface Walk {
  backups: number;
  pages: number;
  findings: { object: string; reason: string }[];
  /** What something refers to, has no place in the index and is not known to be damaged. */
  lost: { kind: RecordKind; id: Uint8Array }[];
  /** Damaged records that something refers to, by the hex of their ids. */
  damagedReferred: Set<string>;
  /** Every root and every page could be read, so that nothing else is referred to. */
  isComplete: boolean;
}

/**
 * Opens every root and every page, pages that backups share once, and looks up every chunk. `reader` must be fresh: what it has kept is not read
 * again.
 */
export async function walkBackups(
  { index, reader }: { index: ChunkIndex; reader: RepositoryReader },
  tenant: string,
  keys: TenantKeys,
  backupIds: readonly string[],
  onStep: (phase: string, done: number, total: number) => void,
): Promise<Walk> {
  const walk: Walk = { backups: 0, pages: 0, findings: [], lost: [], damagedReferred: new Set(), isComplete: true };
  const seenPages = new Set<string>();
  const seenLost = new Set<string>();
  const miss = (kind: RecordKind, id: Uint8Array): void => {
    const name = hexOf(id);
    if (damaged.has(name)) walk.damagedReferred.add(name);
    else if (!seenLost.has(name)) {
      seenLost.add(name);
      walk.lost.push({ kind, id: Uint8Array.from(id) });
    }
  };
  let damaged = index.damage.of(tenant);
  for (const [at, backupId] of backupIds.entries()) {
    onStep("backups", at, backupIds.length);
    const key = rootObjectKey(tenant, backupId);
    let root: Root | undefined;
    try {
      root = await reader.root(tenant, keys, backupId);
    } catch (error) {
      walk.findings.push({ object: key, reason: messageOf(error) });
      walk.isComplete = false;
    }
    if (root === undefined) continue;
    walk.backups++;
    for (let page = 0; page * 32 < root.pageIds.length; page++) {
      const pageId = root.pageIds.subarray(page * 32, page * 32 + 32);
      const name = hexOf(pageId);
      if (seenPages.has(name)) continue;
      seenPages.add(name);
      let flat: Uint8Array | undefined;
      try {
        flat = await reader.pageOf(tenant, keys, root.pageIds, page);
      } catch (error) {
        walk.findings.push({ object: key, reason: messageOf(error) });
        walk.isComplete = false;
        damaged = index.damage.of(tenant);
        miss("page", pageId);
        continue;
      }
      if (flat === undefined) continue;
      walk.pages++;
      const ids = Array.from({ length: pageChunks }, (_, place) => flat.subarray(place * 32, place * 32 + 32)).filter((id) =>
        id.some((byte) => byte !== 0),
      );
      for (const [place, location] of index.lookup(tenant, ids).entries()) if (location === undefined) miss("data", ids[place]!);
      onStep("backups", at, backupIds.length);
    }
  }
  return walk;
}
