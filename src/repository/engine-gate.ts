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
