import type { Context } from "#services/context.ts";
import { createStateKeeper } from "#services/rebuild/keepStates.ts";

/** Seals what changed in the catalog into the store, every `everyMs` (2 s by default) and once more when it is stopped. */
export function keepStates(options: { context: Context; everyMs?: number }): { stop(): Promise<void> } {
  const { context, everyMs = 2000 } = options;
  const keeper = createStateKeeper(context);
  const stopping = new AbortController();
  const running = (async () => {
    for (;;) {
      const last = stopping.signal.aborted;
      await keeper.keep().catch((error: unknown) => context.log.warn({ err: error }, "the states of the projects could not be kept"));
      if (last) return;
      await context.clock.sleep(everyMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
