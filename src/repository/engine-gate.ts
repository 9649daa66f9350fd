import { asEngineError } from "./engine-errors.ts";

/** Lets one piece of code wait until something that others change has come true. */
export class Gate {
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  /** Resolves once `condition` holds; it is asked at once and after every {@link notify}. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.condition()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }
}

/** A gate of one run: the first thing that goes wrong ends every waiting. */
export class RunGate extends Gate {
  #failure: Error | undefined;

  /** As {@link Gate.until}; throws what the run failed with. */
  async untilOrFailure(condition: () => boolean): Promise<void> {
    await this.until(() => this.#failure !== undefined || condition());
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.notify();
  }

  /** Runs a step; what it throws fails the run. */
  guard(step: () => void): void {
    this.guarded(step)(undefined);
  }

  guarded<T>(step: (value: T) => void): (value: T) => void {
    return (value) => {
      try {
        step(value);
      } catch (error) {
        this.fail(asEngineError(error));
      }
    };
  }
}

/** Lets at most so many pieces of work run at once; the others wait in turn. */
export class Turns {
  readonly #gate = new Gate();
  readonly #limit: number;
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#limit) await this.#gate.until(() => this.#running < this.#limit);
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#gate.notify();
    }
  }
}
