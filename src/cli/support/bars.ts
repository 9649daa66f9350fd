import { MultiBar } from "cli-progress";
import { formatBytes, formatSeconds } from "./format.ts";

/** One thing in progress. */
export interface Bar {
  /** Bytes done and in all (null while that is not known); `rate` in bytes per second, measured from `done` where it is not given. */
  update(done: number, total: number | null, rate?: number, phase?: string): void;
  /** It is over: full, with the rate of the whole, or as it stood when it failed. */
  finish(succeeded?: boolean): void;
}

/** Progress bars, and remarks that go above them; both on standard error. */
export interface Bars {
  add(name: string): Bar;
  note(text: string): void;
  /** Leaves the bars as they stand. May be called again. */
  stop(): void;
}

const isWide = (): boolean => (process.stderr.columns ?? 80) >= 110;

const noBar: Bar = { update() {}, finish() {} };

/** Bars with rate and time left on a terminal; only remarks where standard error is none; nothing at all when not wanted. */
export function createBars(isWanted: boolean): Bars {
  if (!isWanted) return { add: () => noBar, note() {}, stop() {} };
  const plainNote = (text: string): void => void process.stderr.write(`${text}\n`);
  if (!process.stderr.isTTY) return { add: () => noBar, note: plainNote, stop() {} };
  const bars = new MultiBar({
    // What matters most comes first: a line is cut at the terminal's edge.
    format: "{name} [{bar}] {percentage}%  {left}  {speed}/s  {done}/{size}  {phase}",
    stream: process.stderr,
    clearOnComplete: false,
    fps: 5,
    barsize: isWide() ? 24 : 10,
    forceRedraw: true,
    // The terminal is left as it is, so that Ctrl-C may end the program at any time.
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
  });
  let state: "unused" | "shown" | "stopped" = "unused";
  return {
    add(name) {
      if (state === "stopped") return noBar;
      state = "shown";
      return createBar(bars, name);
    },
    note(text) {
      if (state === "shown") bars.log(`${text}\n`);
      else plainNote(text);
    },
    stop() {
      if (state === "shown") {
        bars.update();
        bars.stop();
      }
      state = "stopped";
    },
  };
}

function createBar(bars: MultiBar, name: string): Bar {
  const nameWidth = isWide() ? 28 : 16;
  const payload = { name: name.slice(0, nameWidth).padEnd(nameWidth), done: "-", size: "-", speed: "-", left: "", phase: "" };
  const bar = bars.create(1, 0, payload);
  const startedMs = performance.now();
  const meanRate = (bytes: number): number => Math.round(bytes / Math.max(0.001, (performance.now() - startedMs) / 1000));
  let known = 0;
  return {
    update(done, total, rate, phase = "") {
      const speed = rate ?? meanRate(done);
      known = total ?? done;
      bar.setTotal(Math.max(1, known));
      bar.update(Math.min(done, Math.max(1, known)), {
        ...payload,
        done: formatBytes(done),
        size: total === null ? "?" : formatBytes(total),
        speed: formatBytes(Math.round(speed)),
        left: total === null || speed <= 0 ? "" : `${formatSeconds((total - done) / speed)} left`,
        phase,
      });
    },
    finish(succeeded = true) {
      const last = { left: succeeded ? `in ${formatSeconds((performance.now() - startedMs) / 1000)}` : "failed", phase: "" };
      if (succeeded)
        bar.update(bar.getTotal(), { ...payload, done: formatBytes(known), size: formatBytes(known), speed: formatBytes(meanRate(known)), ...last });
      else bar.update(last);
      bar.stop();
    },
  };
}
