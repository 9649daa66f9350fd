import type { PageState } from "./backup-pipeline-page.ts";
import type { ScanRun } from "./backup-pipeline-scan.ts";
import type { BackupOutcome } from "./engine-types.ts";
import { hexOf } from "./layout.ts";
import { SEGMENT_BYTES } from "./lane-messages.ts";
import { pageChunks } from "./page.ts";
import { placesWithData } from "./offer.ts";
import type { ReplicaFeed } from "./replica-feed.ts";

/** Lists, and pieces of some megabytes, that are asked for before they are needed. */
const LISTS_AHEAD = 4;
const PIECES_AHEAD = 3;

/**
 * Reads an offered backup: pages and chunks that are here are referred to, the rest is fetched and goes the way of every backup's bytes. What is here
 * is held by the session from the moment it is referred to.
 */
export async function scanReplica(feed: ReplicaFeed, run: ScanRun): Promise<BackupOutcome["changeList"]> {
  run.expect(feed.offer.dataBytes);
  const pages: number[] = [];
  for (const page of feed.pages()) if (!(await takeWhole(feed, run, page))) pages.push(page);
  const lists = new Map<number, Promise<void>>();
  const queue: (() => Promise<void>)[] = [];
  const later = async (step: () => Promise<void>): Promise<void> => {
    queue.push(step);
    if (queue.length > PIECES_AHEAD) await queue.shift()!();
  };
  const perSegment = Math.max(1, SEGMENT_BYTES / feed.offer.chunkBytes);
  for (const [at, index] of pages.entries()) {
    for (const ahead of pages.slice(at, at + LISTS_AHEAD)) if (!lists.has(ahead)) lists.set(ahead, quiet(feed.fetchList(ahead)));
    await lists.get(index);
    const page = await run.open(index, undefined);
    const missing = takeKnown(feed, run, page);
    for (let first = 0; first < missing.length; first += perSegment) {
      const chunks = Float64Array.from(missing.slice(first, first + perSegment));
      const bytes = quiet(feed.fetch(chunks));
      await later(async () => run.send(page, chunks, await bytes));
    }
    await later(async () => run.close(page));
  }
  for (const step of queue) await step();
  return "none";
}

/** Whoever waits for it is told; until then nobody is. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

async function takeWhole(feed: ReplicaFeed, run: ScanRun, page: number): Promise<boolean> {
  const pageId = run.index.damage.countOf(run.tenant) === 0 ? feed.knownPage(page) : undefined;
  if (pageId === undefined || !run.session.reusePage(pageId)) return false;
  const flat = await run.reader.pageOf(run.tenant, run.keys, pageId, 0);
  if (flat === undefined) return false;
  run.manifest.refer(page, pageId);
  const bytes = placesWithData(flat).reduce((sum, at) => sum + feed.lengthOf(page * pageChunks + at), 0);
  run.count.dataBytes += bytes;
  run.count.unchangedBytes += bytes;
  run.settled(bytes);
  return true;
}

/** Takes the page's chunks that are here; tells the others. */
function takeKnown(feed: ReplicaFeed, run: ScanRun, page: PageState): number[] {
  const chunks = feed.chunksOf(page.index);
  const known = chunks.filter((each): each is { chunk: number; id: Uint8Array } => each.id !== undefined);
  const places = run.session.locate(known.map(({ id }) => id));
  const taken = new Set<number>();
  for (const [at, { chunk, id }] of known.entries()) {
    const place = places[at];
    const length = feed.lengthOf(chunk);
    if (place === undefined || place.plainLength !== length) continue;
    taken.add(chunk);
    page.set(chunk, id);
    page.packs.set(hexOf(place.packId), place.packId);
    run.count.dataBytes += length;
    run.count.deduplicatedBytes += length;
    run.settled(length);
  }
  return chunks.filter(({ chunk }) => !taken.has(chunk)).map(({ chunk }) => chunk);
}
