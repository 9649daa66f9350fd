import { systemClock } from "#platform/clock.ts";
import { StorageError } from "#storage/store.ts";
import type { LocalFiles, ObjectStore } from "#storage/store.ts";
import { openFileTarget } from "#sources/file.ts";
import type { FileTarget } from "#sources/file.ts";
import { DamageReporter, describeRanges, joinRanges } from "./damage-report.ts";
import { asEngineError, throwIfCancelled } from "./engine-errors.ts";
import { Gate } from "./engine-gate.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { DamagedRange, RepositoryErrorCode, RestoreOutcome, RestoreRequest, TaskControl } from "./engine-types.ts";
import type { ChunkIndex, Location } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import type { FromLane, PackRange, RangeRecord } from "./lane-messages.ts";
import type { LanePool } from "./lane-pool.ts";
import { LaneSeats } from "./lane-seats.ts";
import { RESTORE_SEAT_BYTES } from "./memory-budget.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import { locate } from "./lane.ts";
import { hexOf, packObjectKey } from "./layout.ts";
import { pageChunks } from "./page.ts";
import type { Root } from "./root.ts";

export interface RestoreContext {
  store: ObjectStore & Partial<LocalFiles>;
  index: ChunkIndex;
  lanes: LanePool;
  memory: MemoryBudget;
  reader: RepositoryReader;
}

/** Pages planned together: what they want from one pack is read together. */
const PAGES_PER_PLAN = 16;
const RANGE_BYTES = 4 * 1024 * 1024;
/** Unwanted bytes between two records that are read along rather than skipped. */
const GAP_BYTES = 128 * 1024;

/** A chunk and the places of the disk that it belongs to, in chunks. */
interface Wanted {
  id: Uint8Array;
  chunks: number[];
}

/** One restore, as the engine's thread runs it: plans which ranges of which packs go where; the lanes do the rest. */
export class RestoreRun {
  readonly #context: RestoreContext;
  readonly #request: RestoreRequest;
  readonly #keys: TenantKeys;
  readonly #control: TaskControl;
  readonly #gate = new Gate();
  readonly #seats: LaneSeats;
  #run = 0;
  #lastJob = 0;
  #writtenBytes = 0;
  readonly #lost: DamagedRange[] = [];
  /** Ranges of packs that were no longer there when their turn came. */
  #gone: PackRange[] = [];
  #failure: Error | undefined;

  constructor(context: RestoreContext, request: RestoreRequest, keys: TenantKeys, control: TaskControl) {
    this.#context = context;
    this.#request = request;
    this.#keys = keys;
    this.#control = control;
    const share = context.memory.open(() => {
      queueMicrotask(() => {
        this.#seats.settle();
        this.#gate.notify();
      });
    });
    const left = (lane: number): void => context.lanes.post(lane, { kind: "trim" });
    this.#seats = new LaneSeats(share, { seatBytes: RESTORE_SEAT_BYTES, extraBytes: 0, left });
  }

  /** @throws RepositoryError; what the target then holds is not promised */
  async run(): Promise<RestoreOutcome> {
    const started = performance.now();
    const { lanes, reader } = this.#context;
    const { tenant, backupId, sizeBytes, target: where } = this.#request;
    const { signal } = this.#control;
    const onAbort = (): void => this.#fail(new RepositoryError("cancelled", `the restore of backup ${backupId} was cancelled`));
    this.#run = lanes.open({ onMessage: (lane, message) => this.#receive(lane, message), onLaneLost: (error) => this.#fail(error) });
    signal?.addEventListener("abort", onAbort, { once: true });
    let target: FileTarget | undefined;
    try {
      throwIfCancelled(signal);
      const root = await reader.root(tenant, this.#keys, backupId);
      if (root === undefined) throw new RepositoryError("missingRoot", `backup ${backupId} has no root object`);
      if (sizeBytes < root.sizeBytes)
        throw new RepositoryError("invalidRequest", `sizeBytes ${sizeBytes} is less than the ${root.sizeBytes} bytes of backup ${backupId}`);
      await this.#refuseIfDamaged(root);
      target = openFileTarget(where.path, sizeBytes);
      const { chunkBytes } = root;
      const { path } = where;
      lanes.postAll({ kind: "openRestore", run: this.#run, backupId, tenant, keys: this.#keys, chunkBytes, path, allowHoles: this.#allowHoles });
      await this.#restoreAll(root);
      await target.finish();
      this.#throwIfFailed();
      return { sizeBytes, writtenBytes: this.#writtenBytes, lost: joinRanges(this.#lost), durationMs: Math.round(performance.now() - started) };
    } catch (error) {
      throw asEngineError(error, "target");
    } finally {
      signal?.removeEventListener("abort", onAbort);
      target?.close();
      lanes.end(this.#run);
      this.#seats.close();
    }
  }

  get #allowHoles(): boolean {
    return this.#request.allowHoles === true;
  }

  /** Before anything is written: what is known to be damaged is not restored by default. */
  async #refuseIfDamaged(root: Root): Promise<void> {
    if (this.#allowHoles) return;
    const ranges = await new DamageReporter(this.#context, this.#request.tenant, this.#keys).rangesOf(root);
    if (ranges.length === 0) return;
    throw new RepositoryError("damaged", `${describeRanges(ranges)} of backup ${root.backupId}: ${ranges[0]!.reason}`);
  }

  /** With `allowHoles`: what cannot be read stays zeros, and is told in the end. Otherwise the error. */
  #leaveHole(error: unknown, offset: number, length: number): void {
    if (!this.#allowHoles || !(error instanceof RepositoryError) || !holeCodes.has(error.code)) throw error;
    this.#lost.push({ offset, length, reason: error.message });
  }

  async #restoreAll(root: Root): Promise<void> {
    const pageCount = root.pageIds.length / 32;
    for (let first = 0; first < pageCount; first += PAGES_PER_PLAN) {
      const wanted = new Map<string, Wanted>();
      for (let page = first; page < Math.min(pageCount, first + PAGES_PER_PLAN); page++) await this.#collect(root, page, wanted);
      for (const range of this.#plan(root, [...wanted.values()])) await this.#send(root, range);
      await this.#sendMoved(root);
    }
    for (;;) {
      await this.#until(() => this.#seats.work === 0);
      if (this.#gone.length === 0) return;
      await this.#sendMoved(root);
    }
  }

  /** Collection moves chunks into new packs, and deletes the old ones a grace period later: a restore that takes longer looks for them again. */
  async #sendMoved(root: Root): Promise<void> {
    const gone = this.#gone;
    this.#gone = [];
    const moved = gone.flatMap((range) => this.#movedFrom(root, range));
    for (const range of this.#plan(root, moved)) await this.#send(root, range);
  }

  /** What of a range of a pack that is gone lies in another pack now; what does not is lost. */
  #movedFrom(root: Root, { packId, records }: PackRange): Wanted[] {
    const { index } = this.#context;
    const { tenant, backupId } = this.#request;
    const places = index.lookup(
      tenant,
      records.map(({ id }) => id),
    );
    return records.flatMap(({ id, plainLength, targets }, at) => {
      const place = places[at];
      if (place !== undefined && Buffer.compare(place.packId, packId) !== 0)
        return [{ id, chunks: targets.map((offset) => offset / root.chunkBytes) }];
      const error = new RepositoryError("missingChunk", `pack ${hexOf(packId)} is gone`);
      if (!this.#allowHoles) throw locate(error, backupId, targets[0]!, plainLength);
      this.#onDamaged({ packId, id, targets, plainLength, reason: error.message });
      return [];
    });
  }

  async #collect(root: Root, page: number, wanted: Map<string, Wanted>): Promise<void> {
    let flat: Uint8Array | undefined;
    try {
      flat = await this.#context.reader.pageOf(this.#request.tenant, this.#keys, root.pageIds, page);
    } catch (error) {
      const start = page * pageChunks * root.chunkBytes;
      const length = Math.min(pageChunks * root.chunkBytes, root.sizeBytes - start);
      this.#leaveHole(locate(error, root.backupId, start, length), start, length);
    }
    if (flat === undefined) return;
    const ids = Buffer.from(flat.buffer, flat.byteOffset, flat.length);
    for (let at = 0; at < pageChunks; at++) {
      const id = ids.subarray(at * 32, at * 32 + 32);
      const key = id.toString("latin1");
      if (key === NO_ID) continue;
      const chunk = page * pageChunks + at;
      const known = wanted.get(key);
      if (known === undefined) wanted.set(key, { id, chunks: [chunk] });
      else known.chunks.push(chunk);
    }
  }

  /** Ranges of packs that hold what is wanted: packs in the order of the disk, records in the order of the pack. */
  *#plan(root: Root, wanted: Wanted[]): Generator<PackRange> {
    const { tenant, backupId } = this.#request;
    const { chunkBytes, sizeBytes } = root;
    const places = this.#context.index.lookup(
      tenant,
      wanted.map(({ id }) => id),
    );
    const packs = new Map<string, { packId: Uint8Array; records: RangeRecord[] }>();
    for (const [at, { id, chunks }] of wanted.entries()) {
      const start = chunks[0]! * chunkBytes;
      const plainLength = Math.min(chunkBytes, sizeBytes - start);
      let place: Location;
      try {
        place = this.#checked(places[at], id, start, plainLength);
      } catch (error) {
        for (const chunk of chunks) this.#leaveHole(error, chunk * chunkBytes, Math.min(chunkBytes, sizeBytes - chunk * chunkBytes));
        continue;
      }
      if (chunks.some((chunk) => Math.min(chunkBytes, sizeBytes - chunk * chunkBytes) !== plainLength))
        throw locate(new RepositoryError("corruptPage", "one chunk is listed for places of different length"), backupId, start, plainLength);
      const key = hexOf(place.packId);
      let pack = packs.get(key);
      if (pack === undefined) packs.set(key, (pack = { packId: place.packId, records: [] }));
      const { slot, offset, length } = place;
      pack.records.push({ slot, offset, length, plainLength, id, targets: chunks.map((chunk) => chunk * chunkBytes) });
    }
    for (const { packId, records } of packs.values()) {
      records.sort((a, b) => a.offset - b.offset);
      const key = packObjectKey(tenant, packId);
      const from = this.#context.store.pathOf === undefined ? { bytes: NO_BYTES } : { path: this.#context.store.pathOf(key) };
      let range: PackRange | undefined;
      for (const record of records) {
        const end = record.offset + record.length;
        if (range !== undefined && (record.offset > range.offset + range.length + GAP_BYTES || end > range.offset + RANGE_BYTES)) {
          yield range;
          range = undefined;
        }
        range ??= { packId, from, offset: record.offset, length: 0, records: [] };
        range.records.push(record);
        range.length = end - range.offset;
      }
      if (range !== undefined) yield range;
    }
  }

  #checked(place: Location | undefined, id: Uint8Array, start: number, plainLength: number): Location {
    if (place?.plainLength === plainLength && place.kind === "data") return place;
    const error =
      place === undefined
        ? new RepositoryError("missingChunk", `chunk ${hexOf(id)} is in no pack`)
        : new RepositoryError("corruptChunk", `chunk ${hexOf(id)} is in pack ${hexOf(place.packId)} with ${place.plainLength} bytes`);
    throw locate(error, this.#request.backupId, start, plainLength);
  }

  async #send(root: Root, range: PackRange): Promise<void> {
    await this.#control.pace?.(range.length);
    let free = -1;
    await this.#until(() => (free = this.#seats.free()) >= 0);
    this.#seats.began(free);
    const transfer: ArrayBuffer[] = [];
    if ("bytes" in range.from) {
      const bytes = await this.#fetch(root, range);
      if (bytes === undefined) {
        this.#seats.ended(free);
        this.#gone.push(range);
        return;
      }
      range.from = { bytes };
      if (bytes.byteLength === bytes.buffer.byteLength) transfer.push(bytes.buffer as ArrayBuffer);
    }
    this.#context.lanes.post(free, { kind: "restore", run: this.#run, job: ++this.#lastJob, range }, transfer);
    this.#control.onProgress?.({ phase: "copying", bytesDone: this.#writtenBytes, bytesTotal: root.statistics.dataBytes });
  }

  /** The range's bytes as far as records can be read one by one; zeros, which no record is, for the others. */
  async #fetchReadable({ packId, offset, length, records }: PackRange): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (const record of records) {
      try {
        const place = { offset: record.offset, length: record.length };
        bytes.set(await this.#context.store.get(packObjectKey(this.#request.tenant, packId), place), record.offset - offset);
      } catch (error) {
        if (!(error instanceof StorageError) || (error.code !== "notFound" && error.code !== "badRange")) throw error;
      }
    }
    return bytes;
  }

  /** Undefined when there is no such pack. */
  async #fetch(root: Root, range: PackRange): Promise<Uint8Array | undefined> {
    const { packId, offset, length, records } = range;
    try {
      return await this.#context.store.get(packObjectKey(this.#request.tenant, packId), { offset, length });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "notFound") return undefined;
      if (this.#allowHoles && error.code === "badRange") return await this.#fetchReadable(range);
      const code = error.code === "badRange" ? "corruptPack" : "storeUnavailable";
      throw locate(new RepositoryError(code, error.message, error), root.backupId, records[0]!.targets[0]!, records[0]!.plainLength);
    }
  }

  #receive(lane: number, message: FromLane): void {
    if (message.kind === "failed") this.#fail(asEngineError(message.error, "target"));
    if (message.kind === "damaged") this.#onDamaged(message);
    if (message.kind !== "restored" && message.kind !== "packGone") return;
    this.#seats.ended(lane);
    if (message.kind === "packGone") this.#gone.push(message.range);
    else this.#writtenBytes += message.writtenBytes;
    this.#gate.notify();
  }

  #onDamaged({ packId, id, targets, plainLength, reason }: Omit<Extract<FromLane, { kind: "damaged" }>, "kind" | "run">): void {
    this.#context.index.damage.mark(this.#request.tenant, packId, [{ id, reason }], systemClock.nowUs());
    for (const offset of targets) this.#lost.push({ offset, length: plainLength, reason });
  }

  async #until(condition: () => boolean): Promise<void> {
    await this.#gate.until(() => this.#failure !== undefined || condition());
    this.#throwIfFailed();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#gate.notify();
  }
}

const holeCodes: ReadonlySet<RepositoryErrorCode> = new Set(["corruptChunk", "corruptPage", "corruptPack", "missingChunk"]);
const NO_ID = "\0".repeat(32);
const NO_BYTES = new Uint8Array(0);
