import { MultiBar } from "cli-progress";
import { formatBytes, formatSeconds } from "./format.ts";

/** One thing in progress. */
export interface Bar {
  /** Bytes per second; measured from `done` where it is not given. */
  update(done: number, total: number | null, rate?: number, phase?: string): void;
  finish(): void;
}

export interface Bars {
  add(name: string): Bar;
  stop(): void;
}

const silent: Bars = { add: () => ({ update() {}, finish() {} }), stop() {} };

/** Progress bars with rate and time left on standard error; nothing at all where that is no terminal or `isWanted` is false. */
export function createBars(isWanted: boolean): Bars {
  if (!isWanted || !process.stderr.isTTY) return silent;
  const bars = new MultiBar({
    format: "{name} [{bar}] {percentage}%  {done}/{size}  {speed}/s  {left} left  {phase}",
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
    fps: 5,
    barsize: 24,
    forceRedraw: true,
  });
  return {
    add(name) {
      const payload = { name: name.slice(0, 28).padEnd(28), done: "-", size: "-", speed: "-", left: "-", phase: "" };
      const bar = bars.create(1, 0, payload);
      const startedMs = performance.now();
      return {
        update(done, total, rate, phase = "") {
          const speed = rate ?? done / Math.max(0.001, (performance.now() - startedMs) / 1000);
          const left = total === null || speed <= 0 ? "-" : formatSeconds((total - done) / speed);
          bar.setTotal(Math.max(1, total ?? done));
          bar.update(Math.min(done, Math.max(1, total ?? done)), {
            ...payload,
            done: formatBytes(done),
            size: total === null ? "?" : formatBytes(total),
            speed: formatBytes(Math.round(speed)),
            left,
            phase,
          });
        },
        finish() {
          bar.update(bar.getTotal(), { left: "0s", phase: "" });
          bar.stop();
        },
      };
    },
    stop: () => bars.stop(),
  };
}
