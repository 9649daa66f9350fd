import type { Source } from "#sources/source.ts";
import { openBase } from "./backup-pipeline-base.ts";
import { allocatedAmong, judgeChanges, pagesToVisit } from "./backup-pipeline-changes.ts";
import type { ChangeBase, Changes } from "./backup-pipeline-changes.ts";
import { ChunkMap } from "./backup-pipeline-chunks.ts";
import type { PageState } from "./backup-pipeline-page.ts";
import type { ScanRun } from "./backup-pipeline-scan.ts";
import type { BackupOutcome, BackupRequest } from "./engine-types.ts";
import { SEGMENT_BYTES } from "./lane-messages.ts";

const PARENT_PAGES_AHEAD = 4;

/** Reads a source: all that it has allocated, or what has changed since the base. Tells what became of the list of changes. */
export async function scanSource(request: BackupRequest, source: Source, run: ScanRun): Promise<BackupOutcome["changeList"]> {
  const { tenant, keys } = run;
  const { chunkBytes } = request;
  const base = await openBase(run, request, keys);
  const pageOf = (page: number): Promise<Uint8Array | undefined> => run.reader.pageOf(tenant, keys, base.pageIds, page);
  const { changes, changeList, sampledBytes } = await judgeChanges({ ...request, source, base, pageOf, keys, random: run.random });
  run.count.readBytes += sampledBytes;
  const allocated = changes === undefined ? source.allocatedExtents() : allocatedAmong(changes.touched, source, chunkBytes);
  const map = new ChunkMap(source.sizeBytes, chunkBytes, allocated, base.lost);
  run.expect(map.bytes);
  if (changes !== undefined) {
    run.manifest.inherit(base.pageIds);
    run.count.dataBytes = run.count.unchangedBytes = changes.base.statistics.dataBytes;
  }
  await scanAll(map, chunkBytes, pageOf, changes, run);
  return changeList;
}

/** With `changes`: pages without such a chunk stay the base's, and so do the other chunks of a page that has one. */
async function scanAll(
  map: ChunkMap,
  chunkBytes: number,
  parentPage: ChangeBase["pageOf"],
  changes: Changes | undefined,
  run: ScanRun,
): Promise<void> {
  const perSegment = Math.max(1, SEGMENT_BYTES / chunkBytes);
  const indexes = changes === undefined ? map.pages() : pagesToVisit(changes, (pageId) => run.session.reusePage(pageId));
  const parents = new Map<number, Promise<Uint8Array | undefined>>();
  for (const [at, pageIndex] of indexes.entries()) {
    for (const ahead of indexes.slice(at, at + PARENT_PAGES_AHEAD)) {
      if (parents.has(ahead)) continue;
      const loading = parentPage(ahead);
      loading.catch(() => {});
      parents.set(ahead, loading);
    }
    const parent = await parents.get(pageIndex);
    parents.delete(pageIndex);
    const page = await run.open(pageIndex, parent);
    if (changes !== undefined) inherit(page, changes, run);
    for (const chunks of map.segments(pageIndex, perSegment)) await run.send(page, chunks);
    run.close(page);
  }
}

function inherit(page: PageState, { touched, base }: Changes, run: ScanRun): void {
  run.manifest.clear(page.index);
  const { chunkBytes, sizeBytes } = base;
  for (const chunk of page.inherit(touched)) {
    const length = Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
    run.count.dataBytes -= length;
    run.count.unchangedBytes -= length;
  }
}
