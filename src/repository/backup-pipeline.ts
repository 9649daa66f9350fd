import { invariant } from "#platform/invariant.ts";
import type { Clock } from "#platform/clock.ts";
import type { Random } from "#platform/random.ts";
import { openFileSource } from "#sources/file.ts";
import type { Source } from "#sources/source.ts";
import type { ObjectStore } from "#storage/store.ts";
import { ChunkMap } from "./backup-pipeline-chunks.ts";
import { PageState } from "./backup-pipeline-page.ts";
import type { Claim, Claims } from "./backup-pipeline-claims.ts";
import { openBase, tellPagePacks } from "./backup-pipeline-base.ts";
import { asEngineError, throwIfCancelled } from "./engine-errors.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupOutcome, BackupRequest, TaskControl } from "./engine-types.ts";
import { Gate } from "./engine-gate.ts";
import type { Turns } from "./engine-gate.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import { PACK_TARGET_BYTES, scanned, SEGMENT_BYTES } from "./lane-messages.ts";
import type { FromLane } from "./lane-messages.ts";
import type { LanePool } from "./lane-pool.ts";
import { hexOf, packObjectKey, rootObjectKey, tenantPrefix } from "./layout.ts";
import { encodePage, isHolePage, pageIdOf } from "./page.ts";
import { PackWriter } from "./pack.ts";
import type { FinishedPack } from "./pack.ts";
import { pageCountOf, sealRoot } from "./root.ts";
import { BackupSession } from "./session.ts";

export interface BackupContext {
  store: ObjectStore;
  index: ChunkIndex;
  lanes: LanePool;
  claims: Claims;
  /** In whose turn packs are written. */
  writes: Turns;
  reader: RepositoryReader;
  random: Random;
  clock: Clock;
}

const KEEP_SESSION_MS = 60_000;

/** Segments that a lane holds for one backup: one in work, the others read ahead while answers are on their way. */
const SEGMENTS_PER_LANE = 3;
/** Packs of one lane on their way to the store; with more, the lane gets no new segments. */
const PACKS_PER_LANE = 2;
/** Pages whose ids are not all known. */
const OPEN_PAGES = 64;
const PARENT_PAGES_AHEAD = 4;

interface SegmentState {
  lane: number;
  page: PageState;
  chunks: Float64Array;
  /** Claims to be filled by the pending `store`, in the order of its flags. */
  claims: Claim[];
}

/** One backup, as the engine's thread runs it: decides what is read where, what is new, and what the manifest says. */
export class BackupRun {
  readonly #context: BackupContext;
  readonly #request: BackupRequest;
  readonly #control: TaskControl;
  readonly #keys: TenantKeys;
  readonly #gate = new Gate();
  readonly #segments = new Map<number, SegmentState>();
  readonly #lanes: { segments: number; packs: number }[];
  readonly #rescans: { page: PageState; chunk: number }[] = [];
  readonly #pagePacks = new Map<string, { pageId: Uint8Array; packIds: Uint8Array[] }>();
  readonly #newPages = new Set<string>();
  #session!: BackupSession;
  #pageWriter: PackWriter | undefined;
  #pagePacksInFlight = 0;
  #run = 0;
  #lastSegment = 0;
  #sizeBytes = 0;
  #pageIds = new Uint8Array(0);
  #openPages = 0;
  #waitingForOthers = 0;
  #flushed = 0;
  #failure: Error | undefined;
  #bytesDone = 0;
  readonly #count = { read: 0, data: 0, new: 0, stored: 0, unchanged: 0, deduplicated: 0, newChunks: 0, compressed: false };

  constructor(context: BackupContext, request: BackupRequest, keys: TenantKeys, control: TaskControl) {
    this.#context = context;
    this.#request = request;
    this.#keys = keys;
    this.#control = control;
    this.#lanes = Array.from({ length: context.lanes.count }, () => ({ segments: 0, packs: 0 }));
  }

  /** @throws RepositoryError */
  async run(): Promise<BackupOutcome> {
    const { lanes, claims } = this.#context;
    const { signal } = this.#control;
    const onAbort = (): void => this.#fail(new RepositoryError("cancelled", `backup ${this.#request.backupId} was cancelled`));
    this.#run = lanes.open({
      onMessage: (lane, message) => this.#guard(() => this.#receive(lane, message)),
      onLaneLost: (error) => this.#fail(error),
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    let source: Source | undefined;
    const ended = new AbortController();
    try {
      throwIfCancelled(signal);
      // Before the base is looked at: it pins it.
      this.#session = BackupSession.open(this.#context, this.#request);
      void this.#keepSession(ended.signal);
      source = openFileSource(this.#request.source.path);
      return await this.#backup(source);
    } catch (error) {
      throw asEngineError(error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      source?.close();
      lanes.end(this.#run);
      // What is on its way to the store still arrives; only then is it known which claims hold.
      await this.#gate.until(() => this.#storing() === 0);
      ended.abort();
      this.#session?.close();
      claims.release(this);
    }
  }

  async #backup(source: Source): Promise<BackupOutcome> {
    const started = performance.now();
    const { store, lanes, reader } = this.#context;
    const { tenant, backupId, baseId, chunkBytes, compressionLevel, document } = this.#request;
    const rootKey = rootObjectKey(tenant, backupId);
    if ((await store.stat(rootKey)) !== undefined) throw new RepositoryError("invalidRequest", `backupId ${backupId}: there is a backup of this id`);
    const tokenBefore = source.changeToken();
    this.#sizeBytes = source.sizeBytes;
    const base = await openBase(this.#context, this.#request, this.#keys);
    lanes.postAll({
      kind: "openBackup",
      run: this.#run,
      tenant,
      keys: this.#keys,
      source: this.#request.source,
      chunkBytes,
      sizeBytes: this.#sizeBytes,
      compressionLevel,
    });
    const map = new ChunkMap(this.#sizeBytes, chunkBytes, source.allocatedExtents(), base.lost);
    this.#pageIds = new Uint8Array(pageCountOf(this.#sizeBytes, chunkBytes) * 32);
    await this.#scanAll(map, (page) => reader.pageOf(tenant, this.#keys, base.pageIds, page));
    await this.#drain();
    await this.#storePages();
    const pages = this.#recordPagePacks();
    await tellPagePacks(this.#context, tenant, this.#keys, pages);
    const { read, data, stored, unchanged, deduplicated, newChunks, compressed } = this.#count;
    const statistics = {
      sizeBytes: this.#sizeBytes,
      readBytes: read,
      dataBytes: data,
      newBytes: this.#count.new,
      storedBytes: stored,
      unchangedBytes: unchanged,
      deduplicatedBytes: deduplicated,
      newChunks,
      objectCount: this.#context.index.countPacks(tenant, pages),
      compressed,
      durationMs: Math.round(performance.now() - started),
    };
    this.#progress("sealing", map);
    const root = sealRoot(
      this.#keys,
      { tenant, backupId, baseId: baseId ?? null, sizeBytes: this.#sizeBytes, chunkBytes, pageIds: this.#pageIds, statistics, document },
      this.#context.random,
    );
    const changedWhileRead = source.changeToken() !== tokenBefore;
    this.#throwIfFailed();
    await this.#session.commit(root);
    return { rootKey, container: tenantPrefix(tenant), ...statistics, changedWhileRead };
  }

  async #keepSession(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#context.clock.sleep(KEEP_SESSION_MS, ended).catch(() => undefined);
      if (!ended.aborted) this.#guard(() => this.#session.keep());
    }
  }

  async #scanAll(map: ChunkMap, parentPage: (page: number) => Promise<Uint8Array | undefined>): Promise<void> {
    const { chunkBytes } = this.#request;
    const perSegment = Math.max(1, SEGMENT_BYTES / chunkBytes);
    const indexes = [...map.pages()];
    const parents = new Map<number, Promise<Uint8Array | undefined>>();
    for (const [at, pageIndex] of indexes.entries()) {
      for (const ahead of indexes.slice(at, at + PARENT_PAGES_AHEAD)) {
        if (parents.has(ahead)) continue;
        const loading = parentPage(ahead);
        loading.catch(() => {});
        parents.set(ahead, loading);
      }
      const parent = await parents.get(pageIndex);
      parents.delete(pageIndex);
      if (this.#openPages >= OPEN_PAGES) await this.#drain();
      const page = new PageState(pageIndex, parent);
      this.#openPages++;
      for (const chunks of map.segments(pageIndex, perSegment)) {
        await this.#sendSegment(page, chunks);
        this.#progress("copying", map);
      }
      page.scheduled = true;
      this.#finishPage(page);
    }
  }

  async #sendSegment(page: PageState, chunks: Float64Array): Promise<void> {
    const lane = await this.#freeLane();
    const segment = ++this.#lastSegment;
    this.#segments.set(segment, { lane, page, chunks, claims: [] });
    this.#lanes[lane]!.segments++;
    page.pending++;
    this.#context.lanes.post(lane, { kind: "scan", run: this.#run, segment, chunks, parentIds: page.parentIdsOf(chunks) });
  }

  async #freeLane(): Promise<number> {
    let free = -1;
    await this.#until(() => {
      free = -1;
      for (const [lane, { segments, packs }] of this.#lanes.entries()) {
        if (segments >= SEGMENTS_PER_LANE || packs >= PACKS_PER_LANE) continue;
        if (free < 0 || segments < this.#lanes[free]!.segments) free = lane;
      }
      return free >= 0;
    });
    return free;
  }

  #receive(lane: number, message: FromLane): void {
    if (message.kind === "scanned") this.#onScanned(message);
    else if (message.kind === "stored") this.#onStored(message);
    else if (message.kind === "pack") this.#onPack(lane, message);
    else if (message.kind === "flushed") this.#flushed++;
    else if (message.kind === "failed") this.#fail(asEngineError(message.error));
    this.#gate.notify();
  }

  #onScanned({ segment, ids, flags, readBytes }: Extract<FromLane, { kind: "scanned" }>): void {
    const state = this.#segments.get(segment);
    invariant(state, "a segment is scanned once");
    const { page, chunks } = state;
    this.#count.read += readBytes;
    this.#bytesDone += readBytes;
    const candidates: { at: number; id: Uint8Array; claim: Claim | undefined }[] = [];
    for (let at = 0; at < chunks.length; at++) {
      const chunk = chunks[at]!;
      if (flags[at] === scanned.zero) {
        page.clear(chunk);
        continue;
      }
      const id = ids.subarray(at * 32, at * 32 + 32);
      const length = this.#lengthOf(chunk);
      page.set(chunk, id);
      this.#count.data += length;
      if (flags[at] === scanned.same) {
        this.#count.unchanged += length;
        page.unlocated.push(chunk);
      } else candidates.push({ at, id, claim: this.#context.claims.find(this.#request.tenant, id) });
    }
    if (candidates.length === 0) return this.#segmentDone(segment, state);
    const unknown = candidates.filter(({ claim }) => claim === undefined);
    const places = this.#session.locate(unknown.map(({ id }) => id));
    const located = new Map(unknown.map(({ at }, n) => [at, places[n]]));
    const wanted = new Uint8Array(chunks.length);
    for (const { at, id } of candidates) {
      const chunk = chunks[at]!;
      const place = located.get(at);
      // Asked again: the segment itself may have claimed this id a moment ago.
      const claim = this.#context.claims.find(this.#request.tenant, id);
      if (place !== undefined) {
        this.#count.deduplicated += this.#lengthOf(chunk);
        page.packs.set(hexOf(place.packId), place.packId);
      } else if (claim !== undefined) this.#shareClaim(claim, page, chunk);
      else {
        wanted[at] = 1;
        state.claims.push(this.#context.claims.make(this.#request.tenant, id, this));
        this.#count.new += this.#lengthOf(chunk);
        this.#count.newChunks++;
      }
    }
    this.#context.lanes.post(state.lane, { kind: "store", run: this.#run, segment, flags: wanted });
  }

  /** The chunk is on its way into a pack already: of this backup, whose fate is ours, or of another one, for which we wait. */
  #shareClaim(claim: Claim, page: PageState, chunk: number): void {
    const length = this.#lengthOf(chunk);
    if (claim.owner === this) {
      this.#count.deduplicated += length;
      if (claim.packId !== undefined) {
        page.packs.set(hexOf(claim.packId), claim.packId);
        return;
      }
      page.pending++;
      claim.onSealed((packId) => {
        page.packs.set(hexOf(packId), packId);
        this.#pageStep(page);
      });
      return;
    }
    page.pending++;
    this.#waitingForOthers++;
    claim.onSettled(
      this.#guarded((packId: Uint8Array | undefined) => {
        this.#waitingForOthers--;
        const [place] = packId === undefined ? [] : this.#session.locate([page.idOf(chunk)]);
        if (place !== undefined) {
          this.#count.deduplicated += length;
          page.packs.set(hexOf(place.packId), place.packId);
          this.#pageStep(page);
        } else {
          // The other backup failed: read the chunk again, and store it ourselves.
          this.#count.data -= length;
          this.#rescans.push({ page, chunk });
        }
        this.#gate.notify();
      }),
    );
  }

  #onStored({ segment, packIds, storedBytes, compressed }: Extract<FromLane, { kind: "stored" }>): void {
    const state = this.#segments.get(segment);
    invariant(state && packIds.length === state.claims.length * 16, "a segment is stored once, and all that was asked for");
    this.#count.stored += storedBytes;
    this.#count.compressed ||= compressed;
    for (const [at, claim] of state.claims.entries()) {
      const packId = packIds.slice(at * 16, at * 16 + 16);
      state.page.packs.set(hexOf(packId), packId);
      claim.sealed(packId);
    }
    this.#segmentDone(segment, state);
  }

  #segmentDone(segment: number, { lane, page }: SegmentState): void {
    this.#segments.delete(segment);
    this.#lanes[lane]!.segments--;
    this.#pageStep(page);
  }

  #pageStep(page: PageState): void {
    page.pending--;
    this.#finishPage(page);
  }

  #onPack(lane: number, { packId, bytes, entries }: Extract<FromLane, { kind: "pack" }>): void {
    const { tenant } = this.#request;
    const key = packObjectKey(tenant, packId);
    this.#lanes[lane]!.packs++;
    const settle = async (): Promise<void> => {
      try {
        await this.#storePack({ packId, kind: "data", key, bytes, entries });
        this.#context.claims.settle(tenant, entries, packId);
        this.#context.lanes.post(lane, { kind: "reuse", buffer: bytes.buffer as ArrayBuffer }, [bytes.buffer as ArrayBuffer]);
      } catch (error) {
        this.#fail(asEngineError(error));
      }
      this.#lanes[lane]!.packs--;
      this.#gate.notify();
    };
    void settle();
  }

  /** Durable first, then known. */
  async #storePack({ packId, kind, key, bytes, entries }: FinishedPack): Promise<void> {
    const { store, writes } = this.#context;
    if ((await writes.run(() => store.putIfAbsent(key, [bytes]))) === "exists")
      throw new RepositoryError("corruptPack", `pack ${hexOf(packId)} exists already`);
    this.#session.addPack({ packId, kind, sizeBytes: bytes.length, entries });
  }

  /** Flushes every lane, waits for the packs, then for chunks that other backups promised; reads again what they did not keep. */
  async #drain(): Promise<void> {
    const { lanes } = this.#context;
    for (;;) {
      while (this.#rescans.length > 0) {
        const { page, chunk } = this.#rescans.pop()!;
        await this.#sendSegment(page, Float64Array.of(chunk));
        page.pending--;
      }
      await this.#until(() => this.#segments.size === 0);
      this.#flushed = 0;
      lanes.postAll({ kind: "flush", run: this.#run });
      await this.#until(() => this.#flushed === lanes.count && this.#lanes.every(({ packs }) => packs === 0));
      await this.#until(() => this.#waitingForOthers === 0 || this.#rescans.length > 0);
      if (this.#rescans.length === 0) return;
    }
  }

  /** Names the page by its content once all its ids are known; an unchanged page is the parent's own. */
  #finishPage(page: PageState): void {
    if (!page.scheduled || page.pending > 0 || page.finished) return;
    const encoded = encodePage(page.ids);
    const pageId = pageIdOf(this.#keys, encoded);
    if (this.#readLostAgain(page, pageId)) return;
    page.finished = true;
    this.#openPages--;
    const { tenant, compressionLevel } = this.#request;
    if (isHolePage(page.ids)) return;
    this.#pageIds.set(pageId, page.index * 32);
    const key = hexOf(pageId);
    if (this.#pagePacks.has(key)) return;
    const { random } = this.#context;
    if (page.isUnchanged && this.#session.reusePage(pageId)) return;
    this.#pagePacks.set(key, { pageId, packIds: [...page.packs.values()] });
    if (this.#session.locate([pageId])[0] !== undefined || this.#newPages.has(key)) return;
    this.#newPages.add(key);
    this.#pageWriter ??= new PackWriter({
      tenant,
      packId: random.bytes(16),
      keys: this.#keys,
      kind: "page",
      targetBytes: PACK_TARGET_BYTES,
      compressionLevel,
      buffer: Buffer.allocUnsafeSlow(1 << 20),
    });
    this.#pageWriter.add(pageId, encoded);
    if (this.#pageWriter.isFull) void this.#handOverPages();
  }

  /**
   * Adds the packs of chunks that were found unchanged, which nothing has looked up so far. What the store has lost of them is read again and stored
   * as if it were new: true when the page waits for that.
   */
  #readLostAgain(page: PageState, pageId: Uint8Array): boolean {
    const { index } = this.#context;
    const { tenant } = this.#request;
    if (page.unlocated.length === 0) return false;
    if (page.isUnchanged && index.damage.countOf(tenant) === 0 && this.#session.reusePage(pageId)) return false;
    const places = this.#session.locate(page.unlocated.map((chunk) => page.idOf(chunk)));
    for (const place of places) if (place !== undefined) page.packs.set(hexOf(place.packId), place.packId);
    const lost = page.unlocated.filter((_, at) => places[at] === undefined);
    for (const chunk of lost) {
      this.#count.data -= this.#lengthOf(chunk);
      this.#count.unchanged -= this.#lengthOf(chunk);
      this.#rescans.push({ page, chunk });
    }
    page.force(lost);
    page.pending += lost.length;
    return lost.length > 0;
  }

  async #handOverPages(): Promise<void> {
    const writer = this.#pageWriter;
    this.#pageWriter = undefined;
    if (writer === undefined) return;
    this.#pagePacksInFlight++;
    try {
      await this.#storePack(writer.finish());
    } catch (error) {
      this.#fail(asEngineError(error));
    }
    this.#pagePacksInFlight--;
    this.#gate.notify();
  }

  async #storePages(): Promise<void> {
    await this.#handOverPages();
    await this.#until(() => this.#pagePacksInFlight === 0);
  }

  /** Tells the index which packs each new page refers to. Returns the ids of all pages. */
  #recordPagePacks(): Uint8Array[] {
    invariant(this.#openPages === 0 && this.#storing() === 0, "a manifest refers only to what is stored");
    const { index } = this.#context;
    if (this.#pagePacks.size > 0) index.recordManyPagePacks(this.#request.tenant, [...this.#pagePacks.values()]);
    const pages: Uint8Array[] = [];
    for (let at = 0; at < this.#pageIds.length; at += 32) {
      const pageId = this.#pageIds.subarray(at, at + 32);
      if (pageId.some((byte) => byte !== 0)) pages.push(pageId);
    }
    return pages;
  }

  #lengthOf(chunk: number): number {
    const { chunkBytes } = this.#request;
    return Math.min(chunkBytes, this.#sizeBytes - chunk * chunkBytes);
  }

  #progress(phase: string, map: ChunkMap): void {
    this.#control.onProgress?.({ phase, bytesDone: Math.min(this.#bytesDone, map.bytes), bytesTotal: map.bytes });
  }

  #storing(): number {
    return this.#pagePacksInFlight + this.#lanes.reduce((sum, { packs }) => sum + packs, 0);
  }

  async #until(condition: () => boolean): Promise<void> {
    await this.#gate.until(() => this.#failure !== undefined || condition());
    this.#throwIfFailed();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #guard(step: () => void): void {
    this.#guarded(step)(undefined);
  }

  #guarded<T>(step: (value: T) => void): (value: T) => void {
    return (value) => {
      try {
        step(value);
      } catch (error) {
        this.#fail(asEngineError(error));
      }
    };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#gate.notify();
  }
}
