import type { Random } from "#platform/random.ts";
import { openFileSource } from "#sources/file.ts";
import type { Extent } from "#sources/source.ts";

export const blockBytes = 4096;
/** Blocks that are written together, as a file that is rewritten would. */
const runBlocks = 9;

/**
 * Picks runs of up to nine 4 KiB blocks, scattered evenly over a disk's data with a random place in each stretch, about `share` of the data together.
 * At least one run where there is any whole block of data.
 */
export function pickChanges(extents: readonly Extent[], share: number, random: Random): Extent[] {
  const blocks: number[] = [];
  for (const { offset, length } of extents)
    for (let at = Math.ceil(offset / blockBytes); (at + 1) * blockBytes <= offset + length; at += 1) blocks.push(at);
  if (blocks.length === 0) return [];
  const count = Math.max(1, Math.round((blocks.length * share) / runBlocks));
  const stretch = blocks.length / count;
  const changes: Extent[] = [];
  for (let n = 0; n < count; n += 1) {
    const first = Math.floor(n * stretch);
    const room = Math.max(1, Math.floor((n + 1) * stretch) - first - runBlocks);
    const start = first + (new DataView(random.bytes(4).slice().buffer).getUint32(0) % room);
    let length = 1;
    const end = Math.min(Math.floor((n + 1) * stretch), start + runBlocks);
    while (start + length < end && blocks[start + length] === blocks[start]! + length) length += 1;
    changes.push({ offset: blocks[start]! * blockBytes, length: length * blockBytes });
  }
  return changes;
}

/** The data extents of a raw file. */
export function dataExtentsOf(path: string): Extent[] {
  const source = openFileSource(path);
  try {
    return [...source.allocatedExtents()];
  } finally {
    source.close();
  }
}
