import type { Context } from "../context.ts";

const atOnce = 2000;

/** Removes tasks that ended more than `taskDays` ago from the operation log, some thousand at a time; tells how many. */
export function dropOldTasks({ catalog, clock, settings }: Context): Promise<number> {
  const { taskDays } = settings;
  if (taskDays === undefined || taskDays === 0) return Promise.resolve(0);
  return catalog.tasks.removeOlder(clock.nowUs() - taskDays * 86_400_000_000, atOnce);
}
