import { systemClock } from "#platform/clock.ts";
import { MemoryStore } from "#storage/memory.ts";
import { StorageError } from "#storage/store.ts";
import type { ObjectStore, StorageErrorCode } from "#storage/store.ts";

export type StoreRequest = "put" | "get" | "stat" | "list" | "delete";

/**
 * What becomes of one request: it fails before its effect or after it; a put leaves half of the object and fails; an answer comes late, or with
 * `hold` when the test lets it.
 */
export type Fault =
  | { kind: "before" | "after" | "half"; code?: StorageErrorCode }
  | { kind: "slow"; ms: number }
  | { kind: "hold"; until: Promise<void> };

/** Asked before each request. `n` counts requests from 1. */
export type Plan = (request: StoreRequest, key: string, n: number) => Fault | undefined;

/** A real store whose requests meet the faults that a plan has for them. Objects outlive `close`. */
export class FaultyStore implements ObjectStore {
  readonly kind = "memory";
  readonly location = "memory";
  readonly objects = new MemoryStore();
  plan: Plan = () => undefined;
  requests = 0;
  /** What met a fault, in order. */
  readonly met: { request: StoreRequest; key: string; fault: Fault["kind"] }[] = [];

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    const whole = Buffer.concat(parts);
    return await this.#request("put", key, (half) => this.objects.putIfAbsent(key, [half ? whole.subarray(0, whole.length >> 1) : whole]));
  }

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    return this.#request("get", key, () => this.objects.get(key, range));
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#request("stat", key, () => this.objects.stat(key));
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    const keys = await this.#request("list", prefix, () => Array.fromAsync(this.objects.list(prefix)));
    yield* keys;
  }

  delete(key: string): Promise<void> {
    return this.#request("delete", key, () => this.objects.delete(key));
  }

  async close(): Promise<void> {}

  /** Keys as they are, whatever the plan. */
  async keys(prefix = ""): Promise<string[]> {
    return (await Array.fromAsync(this.objects.list(prefix))).map(({ key }) => key).sort();
  }

  async #request<T>(request: StoreRequest, key: string, effect: (half: boolean) => Promise<T>): Promise<T> {
    const fault = this.plan(request, key, ++this.requests);
    if (fault === undefined) return await effect(false);
    this.met.push({ request, key, fault: fault.kind });
    if (fault.kind === "slow" || fault.kind === "hold") {
      if (fault.kind === "slow") await systemClock.sleep(fault.ms);
      else await fault.until;
      return await effect(false);
    }
    if (fault.kind !== "before") await effect(fault.kind === "half");
    throw new StorageError(fault.code ?? "unavailable", key, `the store failed ${fault.kind} its effect: ${request} ${key}`);
  }
}

/** Seeded faults: each request fails with this probability, before or after its effect, or half done. */
export function weather(seed: number, probability: number, kinds: readonly ("before" | "after" | "half")[] = ["before", "after"]): Plan {
  let state = (seed * 2_654_435_761 + 0x9e3779b9) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return (request) => {
    const fails = next() < probability;
    const kind = kinds[Math.floor(next() * kinds.length)]!;
    if (!fails) return undefined;
    return { kind: kind === "half" && request !== "put" ? "before" : kind };
  };
}
