import { invariant } from "#platform/invariant.ts";
import { openFileSource } from "#sources/file.ts";
import type { Source } from "#sources/source.ts";
import type { ScanRun } from "./backup-pipeline-scan.ts";
import { scanSource } from "./backup-pipeline-source.ts";
import { scanReplica } from "./backup-pipeline-replica.ts";
import { Manifest } from "./backup-pipeline-manifest.ts";
import { PageState } from "./backup-pipeline-page.ts";
import type { Claim } from "./backup-pipeline-claims.ts";
import { tellPagePacks } from "./backup-pipeline-base.ts";
import type { BackupContext } from "./backup-pipeline-context.ts";
import { asEngineError, throwIfCancelled } from "./engine-errors.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupOutcome, BackupRequest, TaskControl } from "./engine-types.ts";
import { RunGate } from "./engine-gate.ts";
import type { TenantKeys } from "./keys.ts";
import { scanned } from "./lane-messages.ts";
import type { FromLane } from "./lane-messages.ts";
import { LaneSeats } from "./lane-seats.ts";
import { backupSeatBytes, packMemory } from "./memory-budget.ts";
import { hexOf, packObjectKey, rootObjectKey, tenantPrefix } from "./layout.ts";
import { encodePage, pageIdOf } from "./page.ts";
import type { FinishedPack } from "./pack.ts";
import { pageCountOf, sealRoot } from "./root.ts";
import type { ReplicaFeed } from "./replica-feed.ts";
import { BackupSession } from "./session.ts";

const KEEP_SESSION_MS = 60_000;
/** Pages whose ids are not all known. */
const OPEN_PAGES = 64;

interface SegmentState {
  lane: number;
  page: PageState;
  chunks: Float64Array;
  /** Claims to be filled by the pending `store`, in the order of its flags. */
  claims: Claim[];
}

/** What is made: a backup of a source, or a copy of a backup that `feed` has the pieces of. */
export type RunRequest = BackupRequest | (Omit<BackupRequest, "source" | "baseId" | "changedExtents"> & { source?: undefined; feed: ReplicaFeed });

const isCopy = (request: RunRequest): request is Extract<RunRequest, { feed: ReplicaFeed }> => "feed" in request;

/** One backup, as the engine's thread runs it: decides what is read where, what is new, and what the manifest says. */
export class BackupRun {
  readonly #context: BackupContext;
  readonly #request: RunRequest;
  readonly #feed: ReplicaFeed | undefined;
  readonly #control: TaskControl;
  readonly #keys: TenantKeys;
  readonly #gate = new RunGate();
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
  #bytesDone = 0;
  #bytesTotal = 0;
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

  constructor(context: BackupContext, request: RunRequest, keys: TenantKeys, control: TaskControl) {
    this.#context = context;
    this.#request = request;
    this.#feed = isCopy(request) ? request.feed : undefined;
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
    const onAbort = (): void => this.#gate.fail(new RepositoryError("cancelled", `backup ${this.#request.backupId} was cancelled`));
    this.#run = lanes.open({
      onMessage: (lane, message) => this.#gate.guard(() => this.#receive(lane, message)),
      onLaneLost: (error) => this.#gate.fail(error),
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    let source: Source | undefined;
    const ended = new AbortController();
    try {
      throwIfCancelled(signal);
      // Before the base is looked at: it pins it.
      this.#session = BackupSession.open(this.#context, this.#request);
      void this.#keepSession(ended.signal);
      const request = this.#request;
      if (isCopy(request)) return await this.#backup(request, request.feed.offer.sizeBytes, (run) => scanReplica(request.feed, run));
      const file = (source = openFileSource(request.source.path));
      const tokenBefore = file.changeToken();
      const outcome = await this.#backup(request, file.sizeBytes, (run) => scanSource(request, file, run));
      return { ...outcome, changedWhileRead: file.changeToken() !== tokenBefore };
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

  async #backup(request: RunRequest, sizeBytes: number, scan: (run: ScanRun) => Promise<BackupOutcome["changeList"]>): Promise<BackupOutcome> {
    const started = performance.now();
    const { store, lanes, memory } = this.#context;
    const { tenant, backupId, chunkBytes, compressionLevel, document } = request;
    const baseId = isCopy(request) ? null : (request.baseId ?? null);
    const rootKey = rootObjectKey(tenant, backupId);
    if ((await store.stat(rootKey)) !== undefined) throw new RepositoryError("invalidRequest", `backupId ${backupId}: there is a backup of this id`);
    this.#sizeBytes = sizeBytes;
    lanes.postAll({
      kind: "openBackup",
      run: this.#run,
      tenant,
      keys: this.#keys,
      source: request.source,
      chunkBytes,
      sizeBytes: this.#sizeBytes,
      compressionLevel,
      packTargetBytes: memory.plan.packTargetBytes,
    });
    const manifest = this.#newManifest();
    const changeList = await scan(this.#scanRun());
    await this.#drain();
    await this.#storePages();
    invariant(this.#openPages === 0 && this.#storing() === 0, "a manifest refers only to what is stored");
    const pages = manifest.record();
    await tellPagePacks(this.#context, tenant, this.#keys, pages);
    const statistics = {
      sizeBytes,
      ...this.#count,
      objectCount: this.#context.index.countPacks(tenant, pages),
      durationMs: Math.round(performance.now() - started),
    };
    this.#progress("sealing");
    const root = sealRoot(
      this.#keys,
      { tenant, backupId, baseId, sizeBytes, chunkBytes, pageIds: manifest.pageIds, statistics, document },
      this.#context.random,
    );
    this.#gate.throwIfFailed();
    await this.#session.commit(root);
    return { rootKey, container: tenantPrefix(tenant), ...statistics, changedWhileRead: false, changeList };
  }

  /** What a scan may do with this run. */
  #scanRun(): ScanRun {
    const { index, reader, random } = this.#context;
    const { tenant } = this.#request;
    return {
      index,
      reader,
      random,
      tenant,
      keys: this.#keys,
      session: this.#session,
      manifest: this.#manifest!,
      count: this.#count,
      open: (page, parent) => this.#openPage(page, parent),
      send: async (page, chunks, bytes) => {
        await this.#sendSegment(page, chunks, bytes);
        this.#progress("copying");
      },
      close: (page) => {
        page.scheduled = true;
        this.#finishPage(page);
      },
      expect: (bytes) => (this.#bytesTotal = bytes),
      settled: (bytes) => (this.#bytesDone += bytes),
    };
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
      if (!ended.aborted) this.#gate.guard(() => this.#session.keep());
    }
  }

  async #openPage(index: number, parent: Uint8Array | undefined): Promise<PageState> {
    if (this.#openPages >= OPEN_PAGES) await this.#drain();
    this.#openPages++;
    return new PageState(index, parent);
  }

  /** `bytes`: the chunks themselves, where no lane can read them. */
  async #sendSegment(page: PageState, chunks: Float64Array, bytes?: Uint8Array): Promise<void> {
    await this.#control.pace?.(chunks.length * this.#request.chunkBytes);
    const given = bytes ?? (await this.#feed?.fetch(chunks));
    const lane = await this.#freeLane();
    const segment = ++this.#lastSegment;
    this.#segments.set(segment, { lane, page, chunks, claims: [] });
    this.#seats.began(lane);
    page.pending++;
    const message = { kind: "scan" as const, run: this.#run, segment, chunks, parentIds: page.parentIdsOf(chunks), bytes: given };
    this.#context.lanes.post(lane, message, given === undefined ? [] : [given.buffer as ArrayBuffer]);
  }

  async #freeLane(): Promise<number> {
    let free = -1;
    await this.#gate.untilOrFailure(() => (free = this.#seats.free()) >= 0);
    return free;
  }

  #receive(lane: number, message: FromLane): void {
    if (message.kind === "scanned") this.#onScanned(message);
    else if (message.kind === "stored") this.#onStored(message);
    else if (message.kind === "pack") this.#onPack(lane, message);
    else if (message.kind === "flushed") this.#seats.flushed(lane);
    else if (message.kind === "failed") this.#gate.fail(asEngineError(message.error));
    this.#gate.notify();
  }

  #onScanned({ segment, ids, flags, readBytes }: Extract<FromLane, { kind: "scanned" }>): void {
    const state = this.#segments.get(segment);
    invariant(state, "a segment is scanned once");
    const { page, chunks } = state;
    this.#count.readBytes += readBytes;
    this.#bytesDone += readBytes;
    this.#feed?.learn(chunks, ids);
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
      this.#gate.guarded((packId: Uint8Array | undefined) => {
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
        this.#gate.fail(asEngineError(error));
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
      await this.#gate.untilOrFailure(() => this.#segments.size === 0);
      this.#seats.flushAll();
      await this.#gate.untilOrFailure(() => this.#seats.isFlushed);
      await this.#gate.untilOrFailure(() => this.#waitingForOthers === 0 || this.#rescans.length > 0);
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
    this.#feed?.learnPage(page.index, pageId);
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
    await this.#gate.untilOrFailure(() => this.#manifest!.packsInFlight === 0);
  }

  async #storePagePack(pack: FinishedPack): Promise<void> {
    try {
      await this.#storePack(pack);
    } catch (error) {
      this.#gate.fail(asEngineError(error));
    }
  }

  #lengthOf(chunk: number): number {
    const { chunkBytes } = this.#request;
    return Math.min(chunkBytes, this.#sizeBytes - chunk * chunkBytes);
  }

  #progress(phase: string): void {
    this.#control.onProgress?.({ phase, bytesDone: Math.min(this.#bytesDone, this.#bytesTotal), bytesTotal: this.#bytesTotal });
  }

  #storing(): number {
    return (this.#manifest?.packsInFlight ?? 0) + this.#seats.packs;
  }
}
