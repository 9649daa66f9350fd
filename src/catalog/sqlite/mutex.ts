import { AsyncLocalStorage } from "node:async_hooks";
import { InvariantError } from "#platform/invariant.ts";

interface Scope {
  active: boolean;
}

/** First come, first served. One holder at a time; knows when the holder waits for itself. */
export class Mutex {
  #held = false;
  readonly #waiting: (() => void)[] = [];
  readonly #scopes = new AsyncLocalStorage<Scope>();

  get held(): boolean {
    return this.#held;
  }

  /** @throws InvariantError when called from within {@link scoped} work, which could only wait for ever. */
  async acquire(): Promise<void> {
    if (this.#scopes.getStore()?.active) {
      throw new InvariantError("inside a transaction only the tables that were given to it may be used");
    }
    if (!this.#held) {
      this.#held = true;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }

  /** Runs what the holder does, so that an {@link acquire} in it fails instead of waiting for itself. */
  async scoped<T>(work: () => Promise<T>): Promise<T> {
    const scope: Scope = { active: true };
    try {
      return await this.#scopes.run(scope, work);
    } finally {
      scope.active = false;
    }
  }
}
