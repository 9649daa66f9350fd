import type { Transferable } from "node:worker_threads";
import type { PackVerdict } from "./check-pack.ts";
import type { PlacedRecord } from "./damage.ts";
import { asEngineError } from "./engine-errors.ts";
import type { TenantKeys } from "./keys.ts";
import type { LanePool } from "./lane-pool.ts";

/** Verifies packs of one check in the lanes, in turn: hashing and opening one takes long enough to keep the engine's thread from other runs. */
export class PackVerifier {
  readonly #lanes: LanePool;
  readonly #keys: TenantKeys;
  readonly #run: number;
  #waiting: { resolve: (verdict: PackVerdict) => void; reject: (error: Error) => void } | undefined;
  #packs = 0;

  constructor(lanes: LanePool, keys: TenantKeys) {
    this.#lanes = lanes;
    this.#keys = keys;
    this.#run = lanes.open({
      onMessage: (_lane, message) => {
        if (message.kind === "verified") this.#waiting?.resolve(message.verdict);
        if (message.kind === "failed") this.#waiting?.reject(asEngineError(message.error));
      },
      onLaneLost: (error) => this.#waiting?.reject(error),
    });
  }

  /** As {@link verifyPack}; one at a time. The bytes are handed over where they can be. */
  async verify(packId: Uint8Array, pack: Uint8Array, placed: readonly PlacedRecord[]): Promise<PackVerdict> {
    const lane = this.#packs++ % this.#lanes.count;
    const own: Transferable[] = pack.byteLength === pack.buffer.byteLength ? [pack.buffer as ArrayBuffer] : [];
    try {
      return await new Promise<PackVerdict>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#lanes.post(lane, { kind: "verify", run: this.#run, keys: this.#keys, packId, pack, placed }, own);
      });
    } finally {
      this.#waiting = undefined;
    }
  }

  close(): void {
    this.#lanes.end(this.#run);
  }
}
