import { StorageError } from "./store.ts";
import type { LocalFiles, ObjectStore } from "./store.ts";

export interface StoreCount {
  operation: "put" | "get" | "stat" | "list" | "delete";
  /** `ok`, or the error's code; what is not there when it was asked for counts as `notFound`. */
  outcome: string;
  requests: number;
}

/** A store that counts what is asked of it. Files that are read in place, through `pathOf`, do not pass here. */
export class CountingStore implements ObjectStore {
  readonly kind: ObjectStore["kind"];
  readonly location: string;
  /** As the store inside has it. */
  readonly pathOf?: LocalFiles["pathOf"];
  readonly #inner: ObjectStore;
  readonly #counts = new Map<string, StoreCount>();

  constructor(inner: ObjectStore & Partial<LocalFiles>) {
    this.#inner = inner;
    this.kind = inner.kind;
    this.location = inner.location;
    if (inner.pathOf !== undefined) this.pathOf = (key) => inner.pathOf!(key);
  }

  counts(): StoreCount[] {
    return [...this.#counts.values()];
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    return this.#counted("put", () => this.#inner.putIfAbsent(key, parts));
  }

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    return this.#counted("get", () => this.#inner.get(key, range));
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#counted("stat", () => this.#inner.stat(key));
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    try {
      yield* this.#inner.list(prefix);
    } catch (error) {
      this.#count("list", outcomeOf(error));
      throw error;
    }
    this.#count("list", "ok");
  }

  delete(key: string): Promise<void> {
    return this.#counted("delete", () => this.#inner.delete(key));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #counted<T>(operation: StoreCount["operation"], work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#count(operation, "ok");
      return result;
    } catch (error) {
      this.#count(operation, outcomeOf(error));
      throw error;
    }
  }

  #count(operation: StoreCount["operation"], outcome: string): void {
    const name = `${operation} ${outcome}`;
    const known = this.#counts.get(name);
    if (known === undefined) this.#counts.set(name, { operation, outcome, requests: 1 });
    else known.requests++;
  }
}

const outcomeOf = (error: unknown): string => (error instanceof StorageError ? error.code : "defect");
