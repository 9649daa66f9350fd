import { Worker } from "node:worker_threads";
import type { Transferable } from "node:worker_threads";
import { RepositoryError } from "./engine-types.ts";
import type { FromLane, ToLane } from "./lane-messages.ts";

/** What a run hears from the lanes. */
export interface LaneListener {
  onMessage(lane: number, message: FromLane): void;
  /** A lane died with work of this run in it: the run cannot go on. */
  onLaneLost(error: RepositoryError): void;
}

/** The lanes of one engine, shared by all runs: each lane takes messages in order, so runs that send evenly share it evenly. */
export class LanePool {
  readonly #workers: Worker[] = [];
  readonly #listeners = new Map<number, LaneListener>();
  #lastRun = 0;
  #closing = false;

  constructor(count: number) {
    for (let lane = 0; lane < count; lane++) this.#start(lane);
  }

  get count(): number {
    return this.#workers.length;
  }

  /** Number of the new run. */
  open(listener: LaneListener): number {
    const run = ++this.#lastRun;
    this.#listeners.set(run, listener);
    return run;
  }

  post(lane: number, message: ToLane, transfer: readonly Transferable[] = []): void {
    this.#workers[lane]!.postMessage(message, transfer);
  }

  postAll(message: ToLane): void {
    for (const worker of this.#workers) worker.postMessage(message, []);
  }

  /** Ends a run in every lane; nothing more is heard of it. */
  end(run: number): void {
    this.#listeners.delete(run);
    if (!this.#closing) this.postAll({ kind: "end", run });
  }

  async close(): Promise<void> {
    this.#closing = true;
    const gone = this.#workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    this.postAll({ kind: "stop" });
    await Promise.all(gone);
  }

  #start(lane: number): void {
    const worker = new Worker(new URL("./lane-thread.ts", import.meta.url), { execArgv: [], name: `lane ${lane}` });
    this.#workers[lane] = worker;
    worker.on("message", (message: FromLane) => this.#listeners.get(message.run)?.onMessage(lane, message));
    let cause: unknown;
    worker.on("error", (error) => (cause = error));
    worker.on("exit", (code) => {
      if (this.#closing) return;
      this.#start(lane);
      const why = cause instanceof Error ? cause.message : `it left with code ${code}`;
      const error = new RepositoryError("engineStopped", `lane ${lane} died and was replaced; what it held is lost: ${why}`, cause);
      for (const listener of this.#listeners.values()) listener.onLaneLost(error);
    });
  }
}
