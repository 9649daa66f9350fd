import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";

/** Volumes whose bytes are being copied (readers) or written by a request (writers) in this process. Neither outlives it. */
interface Holds {
  copies: Map<Id, number>;
  writes: Map<Id, number>;
}
const holdsOf = new WeakMap<Context, Holds>();

function holds(context: Context): Holds {
  const found = holdsOf.get(context) ?? { copies: new Map(), writes: new Map() };
  holdsOf.set(context, found);
  return found;
}

function enter(map: Map<Id, number>, id: Id): () => void {
  map.set(id, (map.get(id) ?? 0) + 1);
  return () => {
    const left = (map.get(id) ?? 1) - 1;
    if (left === 0) map.delete(id);
    else map.set(id, left);
  };
}

/** Refuses what would change or remove the bytes of a volume while they are copied. */
export function refuseWhileCopied(context: Context, volumeId: Id): void {
  if (holds(context).copies.has(volumeId))
    throw new DomainError("volumeStatusForbids", `Volume ${volumeId} is being copied; try again when that is done.`);
}

/** Marks a volume as being copied until the returned function is called; refused while a request writes to it. */
export function holdForCopy(context: Context, volumeId: Id): () => void {
  if (holds(context).writes.has(volumeId))
    throw new DomainError("volumeStatusForbids", `Volume ${volumeId} is being written; try again when that is done.`);
  return enter(holds(context).copies, volumeId);
}

/** Marks a volume as being written until the returned function is called; refused while it is copied. */
export function holdForWrite(context: Context, volumeId: Id): () => void {
  refuseWhileCopied(context, volumeId);
  return enter(holds(context).writes, volumeId);
}

/** Whether a volume or snapshot is being copied right now. */
export const isCopiedFrom = (context: Context, id: Id): boolean => holds(context).copies.has(id);
