import { RefusedError } from "./client.ts";
import { CommandError } from "./errors.ts";
import { until } from "./tasks.ts";

/** Waits until `show` answers 404. `statusOf` reads the status, so that a deletion that failed is told. */
export function untilGone<T>(what: string, show: () => Promise<T>, statusOf: (shown: T) => string): Promise<true> {
  return until(`the deletion of ${what}`, 600, async () => {
    try {
      const status = statusOf(await show());
      if (status.startsWith("error")) throw new CommandError(`${what} was not deleted: its status is ${status}`);
      return undefined;
    } catch (error) {
      if (error instanceof RefusedError && error.status === 404) return true;
      throw error;
    }
  });
}
