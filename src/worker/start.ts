import type { Context } from "#services/context.ts";
import { recover } from "./recovery.ts";
import { startCourier } from "./courier.ts";
import { startRunner } from "./runner.ts";
import { startScheduler } from "./scheduler.ts";

export interface Worker {
  /** Lets running tasks finish for up to `graceMs`, then stops them. */
  stop(options: { graceMs: number }): Promise<void>;
}

/** Recovers what an earlier life left behind, then works: claims tasks, and does what is due by the clock. Sets the context's `wake`. */
export async function startWorker(context: Context, options: { concurrency: number }): Promise<Worker> {
  const owner = context.settings.nodeId;
  await recover(context, owner);
  const runner = startRunner({ context, owner, concurrency: options.concurrency });
  context.wake = () => runner.wake();
  const scheduler = startScheduler({ context, isActive: (taskId) => runner.isActive(taskId) });
  const courier = startCourier({ context });
  return {
    async stop({ graceMs }) {
      await Promise.all([scheduler.stop(), courier.stop()]);
      await runner.stop(graceMs);
    },
  };
}
