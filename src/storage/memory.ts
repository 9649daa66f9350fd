import { checkKey, checkRange } from "./key.ts";
import { StorageError } from "./store.ts";
import type { ObjectStore } from "./store.ts";

/** Objects in this process's memory: for tests and trials. It durably keeps nothing. */
export class MemoryStore implements ObjectStore {
  readonly kind = "memory";
  readonly location = "memory";
  readonly #objects = new Map<string, Uint8Array>();

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    if (this.#objects.has(checkKey(key))) return "exists";
    this.#objects.set(key, new Uint8Array(Buffer.concat(parts)));
    return "stored";
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    const object = this.#objects.get(checkKey(key));
    if (!object) throw new StorageError("notFound", key, `there is no object ${key}`);
    if (!range) return object.slice();
    checkRange(key, object.length, range);
    return object.slice(range.offset, range.offset + range.length);
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    const object = this.#objects.get(checkKey(key));
    return object && { size: object.length };
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    for (const [key, object] of this.#objects) if (key.startsWith(prefix)) yield { key, size: object.length };
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(checkKey(key));
  }

  async close(): Promise<void> {
    this.#objects.clear();
  }
}
