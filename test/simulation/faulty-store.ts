import { MemoryStore } from "#storage/memory.ts";
import { StorageError } from "#storage/store.ts";
import type { ObjectStore } from "#storage/store.ts";
import { secondUs, hourUs } from "./virtual-time.ts";
import type { Choice, Process, VirtualTime } from "./virtual-time.ts";

export interface Weather {
  /** Probability of an error that a request meets before, and after it has had its effect. */
  errorBefore: number;
  errorAfter: number;
  /** Probability that an entry is missing from a listing. */
  lostEntries: number;
  /** Probability that a request takes hours rather than seconds. */
  slow: number;
}

export const fairWeather: Weather = { errorBefore: 0, errorAfter: 0, lostEntries: 0, slow: 0 };

/** The one store of a simulated world, and everything that has ever happened to it. */
export class WorldStore {
  readonly objects = new MemoryStore();
  /** Rises with every change. */
  version = 0;
  onDelete: (key: string) => void = () => undefined;
}

/** The store as one process sees it: every request takes time before and after, and may fail on either side of its effect. */
export class FaultyStore implements ObjectStore {
  readonly kind = "memory";
  readonly location = "memory";
  faults = 0;
  readonly #world: WorldStore;
  readonly #time: VirtualTime;
  readonly #choice: Choice;
  readonly #process: Process;
  readonly #weather: Weather;

  constructor(world: WorldStore, time: VirtualTime, choice: Choice, process: Process, weather: Weather) {
    this.#world = world;
    this.#time = time;
    this.#choice = choice;
    this.#process = process;
    this.#weather = weather;
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    return this.#request(key, true, () => {
      this.#world.version++;
      return this.#world.objects.putIfAbsent(key, parts);
    });
  }

  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    return this.#request(key, false, () => this.#world.objects.get(key, range));
  }

  stat(key: string): Promise<{ size: number } | undefined> {
    return this.#request(key, false, () => this.#world.objects.stat(key));
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    const found = await this.#request(prefix, false, async () => {
      const entries: { key: string; size: number }[] = [];
      for await (const entry of this.#world.objects.list(prefix)) entries.push(entry);
      return entries;
    });
    for (const entry of found) if (!this.#choice.chance(this.#weather.lostEntries)) yield entry;
  }

  delete(key: string): Promise<void> {
    return this.#request(key, true, () => {
      this.#world.version++;
      this.#world.onDelete(key);
      return this.#world.objects.delete(key);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #request<T>(key: string, writes: boolean, effect: () => Promise<T>): Promise<T> {
    await this.#wait(key);
    if (this.#choice.chance(this.#weather.errorBefore)) throw this.#fault(key);
    const value = await effect();
    if (writes) await this.#wait(key);
    if (this.#choice.chance(this.#weather.errorAfter)) throw this.#fault(key);
    return value;
  }

  #wait(key: string): Promise<void> {
    // The longest way is that between the last look at a session and the answer.
    const slow = this.#weather.slow * (key.includes("/roots/") ? 8 : 1);
    const us = this.#choice.chance(slow) ? this.#choice.next() * 4 * hourUs : this.#choice.next() * 20 * secondUs;
    return this.#time.sleep(us, this.#process);
  }

  #fault(key: string): StorageError {
    this.faults++;
    return new StorageError("unavailable", key, "the simulated store failed");
  }
}
