import type { TaskProgress } from "#model/task.ts";
import type { Clock } from "#platform/clock.ts";

const windowUs = 5_000_000;

/** Turns "so many bytes are done" into progress with a rate: bytes per second over the last five seconds. */
export function progressMeter(clock: Clock, phase: string) {
  let latest: TaskProgress = { phase, bytesDone: 0, bytesTotal: null, rate: 0 };
  let samples: { atUs: number; bytes: number }[] = [{ atUs: clock.nowUs(), bytes: 0 }];
  return {
    say(at: Omit<TaskProgress, "rate">): void {
      const now = clock.nowUs();
      // Also when the clock was set back: no rate comes of samples that lie in the future.
      if (at.bytesDone < samples.at(-1)!.bytes || now < samples.at(-1)!.atUs) samples = [];
      samples.push({ atUs: now, bytes: at.bytesDone });
      while (samples.length > 2 && samples[1]!.atUs <= now - windowUs) samples.shift();
      const first = samples[0]!;
      const elapsedUs = now - first.atUs;
      const rate = elapsedUs > 0 ? Math.round(((at.bytesDone - first.bytes) * 1_000_000) / elapsedUs) : 0;
      latest = { phase: at.phase, bytesDone: at.bytesDone, bytesTotal: at.bytesTotal, rate };
    },
    latest: (): TaskProgress => latest,
  };
}
