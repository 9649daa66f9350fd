import type { Clock } from "#platform/clock.ts";
import type { Random } from "#platform/random.ts";
import { StorageError } from "./store.ts";
import type { LocalFiles, ObjectStore } from "./store.ts";

export interface RetryOptions {
  clock: Pick<Clock, "sleep">;
  random: Random;
  /** Times that a request is tried in all, at least 1; default 4. */
  attempts?: number;
  /** Upper bound of the first wait, doubled for every further one; a wait is between half of its bound and all of it. Default 100 ms. */
  firstWaitMs?: number;
}

/**
 * The same store, whose requests are tried again when the store says `unavailable`; every other error is final. The last error is thrown as it came.
 * A listing is begun again only as long as it has told nothing.
 */
export function retrying(store: ObjectStore & Partial<LocalFiles>, options: RetryOptions): ObjectStore & Partial<LocalFiles> {
  const { pathOf } = store;
  const wrapped: ObjectStore = new RetryingStore(store, options);
  return pathOf === undefined ? wrapped : Object.assign(wrapped, { pathOf: pathOf.bind(store) });
}

const isTransient = (error: unknown): boolean => error instanceof StorageError && error.code === "unavailable";

class RetryingStore implements ObjectStore {
  readonly kind: ObjectStore["kind"];
  readonly location: string;
  readonly #store: ObjectStore;
  readonly #clock: Pick<Clock, "sleep">;
  readonly #random: Random;
  readonly #attempts: number;
  readonly #firstWaitMs: number;
  readonly #closed = new AbortController();

  constructor(store: ObjectStore, { clock, random, attempts = 4, firstWaitMs = 100 }: RetryOptions) {
    this.kind = store.kind;
    this.location = store.location;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#attempts = attempts;
    this.#firstWaitMs = firstWaitMs;
  }

  /** A name that is taken after a failed attempt was taken by that attempt, if it has these very bytes. */
  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    let outcome: "stored" | "exists" = "stored";
    let hasFailed = false;
    await this.#try(async () => {
      try {
        outcome = await this.#store.putIfAbsent(key, parts);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    });
    if (outcome === "stored" || !hasFailed) return outcome;
    return (await this.#holds(key, parts)) ? "stored" : "exists";
  }

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    return this.#try(() => this.#store.get(key, range));
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#try(() => this.#store.stat(key));
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    let entries = this.#store.list(prefix)[Symbol.asyncIterator]();
    let isFirst = true;
    let next = await this.#try(() => {
      if (!isFirst) entries = this.#store.list(prefix)[Symbol.asyncIterator]();
      isFirst = false;
      return entries.next();
    });
    try {
      for (; next.done !== true; next = await entries.next()) yield next.value;
    } finally {
      if (next.done !== true) await entries.return?.();
    }
  }

  delete(key: string): Promise<void> {
    return this.#try(() => this.#store.delete(key));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#store.close();
  }

  async #holds(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    let offset = 0;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if ((await this.stat(key))?.size !== size) return false;
    for (const part of parts) {
      if (part.length === 0) continue;
      const there = await this.get(key, { offset, length: part.length });
      if (Buffer.compare(there, part) !== 0) return false;
      offset += part.length;
    }
    return true;
  }

  async #try<T>(request: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request();
      } catch (error) {
        if (attempt >= this.#attempts || !isTransient(error) || this.#closed.signal.aborted) throw error;
        const boundMs = this.#firstWaitMs * 2 ** (attempt - 1);
        const waitMs = boundMs * (0.5 + (this.#random.bytes(1)[0]! / 255) * 0.5);
        try {
          await this.#clock.sleep(waitMs, this.#closed.signal);
        } catch {
          throw error;
        }
      }
    }
  }
}
