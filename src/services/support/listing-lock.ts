import { ReadWriteLock } from "#platform/read-write-lock.ts";
import type { Context } from "../context.ts";

const locks = new WeakMap<Context, ReadWriteLock>();

/** Whoever lists root objects that the catalog does not know goes one after the other: none takes back what another one has just listed. */
export function listingLock(context: Context): ReadWriteLock {
  const lock = locks.get(context) ?? new ReadWriteLock();
  locks.set(context, lock);
  return lock;
}
