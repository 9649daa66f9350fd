import type { Context } from "#services/context.ts";
import { deliverDue } from "#services/events/deliverDue.ts";

/** Sends what is due to webhooks, looking every `everyMs`: 1 s by default. One that is under way is ended by its own time limit. */
export function startCourier(options: { context: Context; everyMs?: number }): { stop(): Promise<void> } {
  const { context, everyMs = 1000 } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const made = await deliverDue(context).catch((error: unknown) => {
        context.log.error({ err: error }, "events could not be sent to webhooks");
        return 0;
      });
      if (made === 0) await context.clock.sleep(everyMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
