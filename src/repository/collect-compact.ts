import { StorageError } from "#storage/store.ts";
import type { CollectParts } from "./collect.ts";
import type { Mark } from "./collect-mark.ts";
import type { CollectAction } from "./collect-plan.ts";
import { RepositoryError } from "./engine-types.ts";
import { readPackTrailer } from "./index-reconcile.ts";
import { packKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import { defaultPackBytes, PackWriter } from "./pack.ts";
import { maxPlainBytes, openPayload, openRecord, recordOverheadBytes } from "./record.ts";
import type { RecordKind } from "./record.ts";

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
  const plain = Buffer.allocUnsafeSlow(maxPlainBytes);
  for (const kind of ["data", "page"] as const) {
    const target = new Target(parts, kind, steps);
    let bytes = 0;
    for (const { packNo, packId } of actions) {
      const pack = await readPack(parts, Buffer.from(packId, "hex"), kind, (slot) => mark.isLive(packNo, slot), {
        plain,
        pace: (read) => steps.pace(read),
      });
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

type Entry = Awaited<ReturnType<typeof readPackTrailer>>["entries"][number];

/**
 * What is live of a pack, which is all that is read of it. Undefined when it is of another kind, gone, or damaged: then it is a check's business.
 * `plain` is memory to verify in.
 */
async function readPack(
  { store, tenant, keys }: CompactParts,
  packId: Uint8Array,
  kind: RecordKind,
  isLive: (slot: number) => boolean,
  { plain, pace }: { plain: Buffer; pace: CompactSteps["pace"] },
): Promise<OpenedPack | undefined> {
  const key = packObjectKey(tenant, packId);
  const sizeBytes = (await store.stat(key))?.size;
  if (sizeBytes === undefined) return undefined;
  try {
    const contents = await readPackTrailer(store, key, sizeBytes);
    if (contents.kind !== kind) return undefined;
    const ownKey = packKey(keys, packId);
    const live: OpenedPack["live"] = [];
    for (const range of rangesOf(contents.entries.filter(({ slot }) => isLive(slot)))) {
      const from = range[0]!.offset;
      const last = range.at(-1)!;
      const length = last.offset + last.length - from;
      await pace(length);
      const bytes = await store.get(key, { offset: from, length });
      for (const { id, slot, offset, length, plainLength, compressed } of range) {
        const record = Buffer.from(bytes.buffer, bytes.byteOffset + offset - from, length);
        openRecord(keys, packId, record, { slot, id, plainLength }, { into: plain.subarray(0, plainLength) });
        const payload = new Uint8Array(length - recordOverheadBytes);
        if (!openPayload(ownKey, packId, slot, record, payload)) throw new RepositoryError("corruptPack", `pack ${hexOf(packId)} does not open`);
        live.push({ id, payload, plainLength, compressed });
      }
    }
    return { sizeBytes, live };
  } catch (error) {
    if (error instanceof RepositoryError && error.code.startsWith("corrupt")) return undefined;
    if (error instanceof StorageError && error.code === "notFound") return undefined;
    throw error;
  }
}

/** Records that are read in one go: neighbours, over gaps of at most 64 KiB, some 4 MiB at a time. */
function* rangesOf(entries: readonly Entry[]): Generator<Entry[]> {
  let range: Entry[] = [];
  for (const entry of entries) {
    const [first, last] = [range[0], range.at(-1)];
    if (first && last && (entry.offset - (last.offset + last.length) > 65_536 || entry.offset + entry.length - first.offset > 4 << 20)) {
      yield range;
      range = [];
    }
    range.push(entry);
  }
  if (range.length > 0) yield range;
}

/** The pack being filled, and the packs whose copies wait in it. */
class Target {
  readonly #parts: CompactParts;
  readonly #kind: RecordKind;
  readonly #steps: CompactSteps;
  /** Of every pack in turn: the store is done with one before the next is begun. */
  readonly #memory: Buffer;
  #writer: PackWriter | undefined;
  #from: number[] = [];
  #done: number[] = [];

  constructor(parts: CompactParts, kind: RecordKind, steps: CompactSteps) {
    this.#parts = parts;
    this.#kind = kind;
    this.#steps = steps;
    this.#memory = Buffer.allocUnsafeSlow((parts.packBytes ?? defaultPackBytes) + (1 << 20));
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
      buffer: this.#memory,
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
