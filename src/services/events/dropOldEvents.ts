import type { Context } from "../context.ts";

const atOnce = 2000;

/** Removes events older than `eventDays`, delivered or not, some thousand at a time; tells how many. */
export function dropOldEvents({ catalog, clock, settings }: Context): Promise<number> {
  const { eventDays } = settings;
  if (eventDays === undefined || eventDays === 0) return Promise.resolve(0);
  return catalog.events.removeOlder(clock.nowUs() - eventDays * 86_400_000_000, atOnce);
}
