import type { Context } from "#services/context.ts";
import { createStateKeeper } from "#services/rebuild/keepStates.ts";

/** How much of the time may go into looking, where there are very many projects. */
const share = 1 / 20;

/**
 * Seals what changed in the catalog into the store, every `everyMs` (2 s by default; more rarely where a look takes long) and once more when it is
 * stopped.
 */
export function keepStates(options: { context: Context; everyMs?: number }): { stop(): Promise<void> } {
  const { context, everyMs = 2000 } = options;
  const keeper = createStateKeeper(context);
  const stopping = new AbortController();
  const running = (async () => {
    for (;;) {
      const last = stopping.signal.aborted;
      const startedUs = context.clock.nowUs();
      await keeper.keep().catch((error: unknown) => context.log.warn({ err: error }, "the states of the projects could not be kept"));
      if (last) return;
      const tookMs = (context.clock.nowUs() - startedUs) / 1000;
      await context.clock.sleep(Math.max(everyMs, tookMs / share), stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
