import type { CollectParts } from "./collect.ts";
import type { Mark } from "./collect-mark.ts";
import type { CollectAction } from "./collect-plan.ts";
import { getIfThere } from "./collect-bin.ts";
import { RepositoryError } from "./engine-types.ts";
import { packKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import { defaultPackBytes, PackWriter } from "./pack.ts";
import { openPayload, openRecord, recordOverheadBytes } from "./record.ts";
import type { RecordKind } from "./record.ts";
import { readTrailer } from "./trailer.ts";

export interface CompactParts extends CollectParts {
  tenant: string;
  keys: TenantKeys;
}

export interface CompactSteps {
  /** Throws inside the transaction that moves places unless this is still the one collection. */
  guard(): void;
  /** Resolves when so many more bytes may be read or written. */
  pace(bytes: number): Promise<void>;
  /** Called before every step with the bytes read so far; may throw, to stop. */
  keep(bytesDone: number): void;
  /** Called with packs of which nothing is needed any more. */
  condemn(packNos: number[]): void;
}

type CompactAction = Extract<CollectAction, { packNo: number }>;

/**
 * Copies what is in use out of packs that are mostly garbage into new ones, record by record as it was compressed, each verified. The new pack is
 * in the store before the index points at it; the old one is condemned like any other and stays for the grace period. Interrupted, it leaves a new
 * pack that no place points at.
 */
export async function compactPacks(parts: CompactParts, actions: readonly CompactAction[], mark: Mark, steps: CompactSteps): Promise<void> {
  for (const kind of ["data", "page"] as const) {
    const target = new Target(parts, kind, steps);
    let bytes = 0;
    for (const { packNo, packId, bytes: sizeBytes } of actions) {
      await steps.pace(sizeBytes);
      const pack = await readPack(parts, Buffer.from(packId, "hex"), kind, (slot) => mark.isLive(packNo, slot));
      if (pack === undefined) continue;
      steps.keep((bytes += pack.sizeBytes));
      for (const record of pack.live) target.add(packNo, record.id, record.payload, record.plainLength, record.compressed);
      target.copied(packNo);
      if (target.isFull) await target.flush();
    }
    await target.flush();
  }
}

interface OpenedPack {
  sizeBytes: number;
  live: { id: Uint8Array; payload: Uint8Array; plainLength: number; compressed: boolean }[];
}

/** Undefined when it is of another kind, gone, or damaged: then it is a check's business. */
async function readPack(
  { store, tenant, keys }: CompactParts,
  packId: Uint8Array,
  kind: RecordKind,
  isLive: (slot: number) => boolean,
): Promise<OpenedPack | undefined> {
  const bytes = await getIfThere(store, packObjectKey(tenant, packId));
  if (bytes === undefined) return undefined;
  try {
    const contents = readTrailer(bytes, bytes.length);
    if (contents.kind !== kind) return undefined;
    const ownKey = packKey(keys, packId);
    const wanted = contents.entries.filter(({ slot }) => isLive(slot));
    const live = wanted.map(({ id, slot, offset, length, plainLength, compressed }) => {
      const record = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length);
      openRecord(keys, packId, record, { slot, id, plainLength });
      const payload = new Uint8Array(length - recordOverheadBytes);
      if (!openPayload(ownKey, packId, slot, record, payload)) throw new RepositoryError("corruptPack", `pack ${hexOf(packId)} does not open`);
      return { id, payload, plainLength, compressed };
    });
    return { sizeBytes: bytes.length, live };
  } catch (error) {
    if (error instanceof RepositoryError && error.code.startsWith("corrupt")) return undefined;
    throw error;
  }
}

/** The pack being filled, and the packs whose copies wait in it. */
class Target {
  readonly #parts: CompactParts;
  readonly #kind: RecordKind;
  readonly #steps: CompactSteps;
  #writer: PackWriter | undefined;
  #from: number[] = [];
  #done: number[] = [];

  constructor(parts: CompactParts, kind: RecordKind, steps: CompactSteps) {
    this.#parts = parts;
    this.#kind = kind;
    this.#steps = steps;
  }

  get isFull(): boolean {
    return this.#writer?.isFull ?? false;
  }

  add(packNo: number, id: Uint8Array, payload: Uint8Array, plainLength: number, compressed: boolean): void {
    const { tenant, keys, random, packBytes } = this.#parts;
    this.#writer ??= new PackWriter({
      tenant,
      packId: random.bytes(16),
      keys,
      kind: this.#kind,
      targetBytes: packBytes ?? defaultPackBytes,
      buffer: Buffer.allocUnsafeSlow(1 << 20),
    });
    this.#writer.addPayload(id, payload, plainLength, compressed);
    this.#from.push(packNo);
  }

  /** All of this pack has been added. */
  copied(packNo: number): void {
    this.#done.push(packNo);
  }

  async flush(): Promise<void> {
    const { store, index, tenant } = this.#parts;
    const writer = this.#writer;
    const from = this.#from;
    const done = this.#done;
    this.#writer = undefined;
    this.#from = [];
    this.#done = [];
    if (writer !== undefined) {
      const { packId, kind, key, bytes, entries } = writer.finish({ deep: true });
      await this.#steps.pace(bytes.length);
      if ((await store.putIfAbsent(key, [bytes])) === "exists") throw new RepositoryError("corruptPack", `pack ${hexOf(packId)} exists already`);
      index.addCopies(tenant, { packId, kind, sizeBytes: bytes.length, entries }, from, () => this.#steps.guard());
    }
    if (done.length > 0) this.#steps.condemn(done);
  }
}
