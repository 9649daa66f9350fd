import { invariant } from "#platform/invariant.ts";
import { openFileSource } from "#sources/file.ts";
import type { Source } from "#sources/source.ts";
import { allocatedAmong, judgeChanges, pagesToVisit } from "./backup-pipeline-changes.ts";
import type { ChangeBase, Changes } from "./backup-pipeline-changes.ts";
import { ChunkMap } from "./backup-pipeline-chunks.ts";
import { Manifest } from "./backup-pipeline-manifest.ts";
import { PageState } from "./backup-pipeline-page.ts";
import type { Claim } from "./backup-pipeline-claims.ts";
import { openBase, tellPagePacks } from "./backup-pipeline-base.ts";
import type { BackupContext } from "./backup-pipeline-context.ts";
import { asEngineError, throwIfCancelled } from "./engine-errors.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupOutcome, BackupRequest, TaskControl } from "./engine-types.ts";
import { Gate } from "./engine-gate.ts";
import type { TenantKeys } from "./keys.ts";
import { scanned, SEGMENT_BYTES } from "./lane-messages.ts";
import type { FromLane } from "./lane-messages.ts";
import { LaneSeats } from "./lane-seats.ts";
import { backupSeatBytes, packMemory } from "./memory-budget.ts";
import { hexOf, packObjectKey, rootObjectKey, tenantPrefix } from "./layout.ts";
import { encodePage, pageIdOf } from "./page.ts";
import type { FinishedPack } from "./pack.ts";
import { pageCountOf, sealRoot } from "./root.ts";
import { BackupSession } from "./session.ts";

const KEEP_SESSION_MS = 60_000;
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
  readonly #seats: LaneSeats;
  readonly #rescans: { page: PageState; chunk: number }[] = [];
  #session!: BackupSession;
  #manifest: Manifest | undefined;
  #run = 0;
  #lastSegment = 0;
  #sizeBytes = 0;
  #openPages = 0;
  #waitingForOthers = 0;
  #failure: Error | undefined;
  #bytesDone = 0;
  readonly #count = {
    readBytes: 0,
    dataBytes: 0,
    newBytes: 0,
    storedBytes: 0,
    unchangedBytes: 0,
    deduplicatedBytes: 0,
    newChunks: 0,
    compressed: false,
  };

  constructor(context: BackupContext, request: BackupRequest, keys: TenantKeys, control: TaskControl) {
    this.#context = context;
    this.#request = request;
    this.#keys = keys;
    this.#control = control;
    const { lanes, memory } = context;
    const { packTargetBytes } = memory.plan;
    const share = memory.open(() => {
      queueMicrotask(() => {
        this.#seats.settle();
        this.#gate.notify();
      });
    });
    this.#seats = new LaneSeats(share, {
      seatBytes: backupSeatBytes(packTargetBytes, request.chunkBytes),
      extraBytes: packMemory(packTargetBytes, request.chunkBytes),
      flush: (lane) => lanes.post(lane, { kind: "flush", run: this.#run }),
      left: (lane) => lanes.post(lane, { kind: "trim" }),
    });
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
      this.#seats.close();
    }
  }

  async #backup(source: Source): Promise<BackupOutcome> {
    const started = performance.now();
    const { store, lanes, memory, reader } = this.#context;
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
      packTargetBytes: memory.plan.packTargetBytes,
    });
    const pageOf = (page: number): Promise<Uint8Array | undefined> => reader.pageOf(tenant, this.#keys, base.pageIds, page);
    const manifest = this.#newManifest();
    const { changes, changeList, sampledBytes } = await judgeChanges({
      ...this.#request,
      source,
      base,
      pageOf,
      keys: this.#keys,
      random: this.#context.random,
    });
    this.#count.readBytes += sampledBytes;
    const allocated = changes === undefined ? source.allocatedExtents() : allocatedAmong(changes.touched, source, chunkBytes);
    const map = new ChunkMap(this.#sizeBytes, chunkBytes, allocated, base.lost);
    if (changes !== undefined) {
      manifest.inherit(base.pageIds);
      this.#count.dataBytes = this.#count.unchangedBytes = changes.base.statistics.dataBytes;
    }
    await this.#scanAll(map, pageOf, changes);
    await this.#drain();
    await this.#storePages();
    invariant(this.#openPages === 0 && this.#storing() === 0, "a manifest refers only to what is stored");
    const pages = manifest.record();
    await tellPagePacks(this.#context, tenant, this.#keys, pages);
    const statistics = {
      sizeBytes: this.#sizeBytes,
      ...this.#count,
      objectCount: this.#context.index.countPacks(tenant, pages),
      durationMs: Math.round(performance.now() - started),
    };
    this.#progress("sealing", map);
    const root = sealRoot(
      this.#keys,
      { tenant, backupId, baseId: baseId ?? null, sizeBytes: this.#sizeBytes, chunkBytes, pageIds: manifest.pageIds, statistics, document },
      this.#context.random,
    );
    const changedWhileRead = source.changeToken() !== tokenBefore;
    this.#throwIfFailed();
    await this.#session.commit(root);
    return { rootKey, container: tenantPrefix(tenant), ...statistics, changedWhileRead, changeList };
  }

  #newManifest(): Manifest {
    const { index, random } = this.#context;
    const { tenant, chunkBytes, compressionLevel } = this.#request;
    const parts = { tenant, keys: this.#keys, compressionLevel, index, session: this.#session, random };
    const storePack = (pack: FinishedPack): Promise<void> => this.#storePagePack(pack);
    return (this.#manifest = new Manifest({ ...parts, storePack, onStored: () => this.#gate.notify() }, pageCountOf(this.#sizeBytes, chunkBytes)));
  }

  async #keepSession(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.#context.clock.sleep(KEEP_SESSION_MS, ended).catch(() => undefined);
      if (!ended.aborted) this.#guard(() => this.#session.keep());
    }
  }

  /** With `changes`: pages without such a chunk stay the base's, and so do the other chunks of a page that has one. */
  async #scanAll(map: ChunkMap, parentPage: ChangeBase["pageOf"], changes: Changes | undefined): Promise<void> {
    const { chunkBytes } = this.#request;
    const perSegment = Math.max(1, SEGMENT_BYTES / chunkBytes);
    const indexes = changes === undefined ? map.pages() : pagesToVisit(changes, (pageId) => this.#session.reusePage(pageId));
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
      if (changes !== undefined) this.#inherit(page, changes);
      for (const chunks of map.segments(pageIndex, perSegment)) {
        await this.#sendSegment(page, chunks);
        this.#progress("copying", map);
      }
      page.scheduled = true;
      this.#finishPage(page);
    }
  }

  #inherit(page: PageState, { touched, base }: Changes): void {
    this.#manifest!.clear(page.index);
    const { chunkBytes, sizeBytes } = base;
    for (const chunk of page.inherit(touched)) {
      const length = Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
      this.#count.dataBytes -= length;
      this.#count.unchangedBytes -= length;
    }
  }

  async #sendSegment(page: PageState, chunks: Float64Array): Promise<void> {
    await this.#control.pace?.(chunks.length * this.#request.chunkBytes);
    const lane = await this.#freeLane();
    const segment = ++this.#lastSegment;
    this.#segments.set(segment, { lane, page, chunks, claims: [] });
    this.#seats.began(lane);
    page.pending++;
    this.#context.lanes.post(lane, { kind: "scan", run: this.#run, segment, chunks, parentIds: page.parentIdsOf(chunks) });
  }

  async #freeLane(): Promise<number> {
    let free = -1;
    await this.#until(() => (free = this.#seats.free()) >= 0);
    return free;
  }

  #receive(lane: number, message: FromLane): void {
    if (message.kind === "scanned") this.#onScanned(message);
    else if (message.kind === "stored") this.#onStored(message);
    else if (message.kind === "pack") this.#onPack(lane, message);
    else if (message.kind === "flushed") this.#seats.flushed(lane);
    else if (message.kind === "failed") this.#fail(asEngineError(message.error));
    this.#gate.notify();
  }

  #onScanned({ segment, ids, flags, readBytes }: Extract<FromLane, { kind: "scanned" }>): void {
    const state = this.#segments.get(segment);
    invariant(state, "a segment is scanned once");
    const { page, chunks } = state;
    this.#count.readBytes += readBytes;
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
      this.#count.dataBytes += length;
      if (flags[at] === scanned.same) {
        this.#count.unchangedBytes += length;
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
        this.#count.deduplicatedBytes += this.#lengthOf(chunk);
        page.packs.set(hexOf(place.packId), place.packId);
      } else if (claim !== undefined) this.#shareClaim(claim, page, chunk);
      else {
        wanted[at] = 1;
        state.claims.push(this.#context.claims.make(this.#request.tenant, id, this));
        this.#count.newBytes += this.#lengthOf(chunk);
        this.#count.newChunks++;
      }
    }
    this.#context.lanes.post(state.lane, { kind: "store", run: this.#run, segment, flags: wanted });
  }

  /** The chunk is on its way into a pack already: of this backup, whose fate is ours, or of another one, for which we wait. */
  #shareClaim(claim: Claim, page: PageState, chunk: number): void {
    const length = this.#lengthOf(chunk);
    if (claim.owner === this) {
      this.#count.deduplicatedBytes += length;
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
          this.#count.deduplicatedBytes += length;
          page.packs.set(hexOf(place.packId), place.packId);
          this.#pageStep(page);
        } else {
          // The other backup failed: read the chunk again, and store it ourselves.
          this.#count.dataBytes -= length;
          this.#rescans.push({ page, chunk });
        }
        this.#gate.notify();
      }),
    );
  }

  #onStored({ segment, packIds, storedBytes, compressed }: Extract<FromLane, { kind: "stored" }>): void {
    const state = this.#segments.get(segment);
    invariant(state && packIds.length === state.claims.length * 16, "a segment is stored once, and all that was asked for");
    this.#count.storedBytes += storedBytes;
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
    this.#seats.ended(lane);
    this.#pageStep(page);
  }

  #pageStep(page: PageState): void {
    page.pending--;
    this.#finishPage(page);
  }

  #onPack(lane: number, { packId, bytes, entries }: Extract<FromLane, { kind: "pack" }>): void {
    const { tenant } = this.#request;
    const key = packObjectKey(tenant, packId);
    this.#seats.packBegan(lane);
    const settle = async (): Promise<void> => {
      try {
        await this.#storePack({ packId, kind: "data", key, bytes, entries });
        this.#context.claims.settle(tenant, entries, packId);
        this.#context.lanes.post(lane, { kind: "reuse", buffer: bytes.buffer as ArrayBuffer }, [bytes.buffer as ArrayBuffer]);
      } catch (error) {
        this.#fail(asEngineError(error));
      }
      this.#seats.packEnded(lane);
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
    for (;;) {
      while (this.#rescans.length > 0) {
        const { page, chunk } = this.#rescans.pop()!;
        await this.#sendSegment(page, Float64Array.of(chunk));
        page.pending--;
      }
      await this.#until(() => this.#segments.size === 0);
      this.#seats.flushAll();
      await this.#until(() => this.#seats.isFlushed);
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
    this.#manifest!.set(page, pageId, encoded);
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
      this.#count.dataBytes -= this.#lengthOf(chunk);
      this.#count.unchangedBytes -= this.#lengthOf(chunk);
      this.#rescans.push({ page, chunk });
    }
    page.force(lost);
    page.pending += lost.length;
    return lost.length > 0;
  }

  async #storePages(): Promise<void> {
    void this.#manifest!.handOver();
    await this.#until(() => this.#manifest!.packsInFlight === 0);
  }

  async #storePagePack(pack: FinishedPack): Promise<void> {
    try {
      await this.#storePack(pack);
    } catch (error) {
      this.#fail(asEngineError(error));
    }
  }

  #lengthOf(chunk: number): number {
    const { chunkBytes } = this.#request;
    return Math.min(chunkBytes, this.#sizeBytes - chunk * chunkBytes);
  }

  #progress(phase: string, map: ChunkMap): void {
    this.#control.onProgress?.({ phase, bytesDone: Math.min(this.#bytesDone, map.bytes), bytesTotal: map.bytes });
  }

  #storing(): number {
    return (this.#manifest?.packsInFlight ?? 0) + this.#seats.packs;
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
