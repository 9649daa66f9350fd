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
