import type { Context } from "../context.ts";

const running = new WeakMap<Context, Set<Promise<void>>>();

/** Starts work that outlives the request that asked for it; it must record its own outcome. A failure that escapes it is logged. */
export function inBackground(context: Context, name: string, work: () => Promise<void>): void {
  const set = running.get(context) ?? new Set();
  running.set(context, set);
  const promise = work()
    .catch((error: unknown) => context.log.error({ err: error, work: name }, "background work failed"))
    .finally(() => set.delete(promise));
  set.add(promise);
}

/** Resolves when nothing runs in the background any more. */
export async function backgroundIdle(context: Context): Promise<void> {
  for (let set = running.get(context); set !== undefined && set.size > 0; set = running.get(context)) await Promise.all(set);
}
