import { closeSync, openSync, readSync } from "node:fs";
import type { Transferable } from "node:worker_threads";
import { invariant } from "#platform/invariant.ts";
import { pageAligned } from "#platform/native.ts";
import type { Random } from "#platform/random.ts";
import { carryError } from "#platform/threads.ts";
import { joinFileTarget, openFileSource } from "#sources/file.ts";
import type { FileTarget } from "#sources/file.ts";
import type { Source } from "#sources/source.ts";
import { verifyPack } from "./check-pack.ts";
import { ChunkHasher } from "./chunk-id.ts";
import { CompressionGate } from "./compression-gate.ts";
import { RepositoryError } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { scanned, SEGMENT_BYTES } from "./lane-messages.ts";
import type { FromLane, PackRange, RangeRecord, ToLane } from "./lane-messages.ts";
import { openRecord, PackWriter } from "./pack.ts";

type Message<K extends ToLane["kind"]> = Extract<ToLane, { kind: K }>;
type Post = (message: FromLane, transfer?: readonly Transferable[]) => void;

const ID_BYTES = 32;

/** Large buffers of one lane, used again by every run: only one message is worked on at a time. */
class LaneBuffers {
  readonly #segments: Uint8Array[] = [];
  readonly #packs: ArrayBuffer[] = [];
  #staging: Uint8Array | undefined;
  #packBytes = new Uint8Array(0);

  segment(): Uint8Array {
    return this.#segments.pop() ?? new Uint8Array(SEGMENT_BYTES);
  }

  /** One that came with a message is kept only if it is as long as ours. */
  giveSegment(buffer: Uint8Array): void {
    if (buffer.length === SEGMENT_BYTES) this.#segments.push(buffer);
  }

  pack(): ArrayBuffer | undefined {
    return this.#packs.pop();
  }

  givePack(buffer: ArrayBuffer): void {
    if (this.#packs.length === 0) this.#packs.push(buffer);
    else free(buffer);
  }

  /** Page-aligned; as long as a segment. */
  get staging(): Uint8Array {
    return (this.#staging ??= pageAligned(SEGMENT_BYTES));
  }

  packBytes(length: number): Uint8Array {
    if (this.#packBytes.length < length) this.#packBytes = new Uint8Array(length);
    return this.#packBytes.subarray(0, length);
  }

  /** Hands back what is kept for later. */
  release(): void {
    for (const buffer of this.#packs) free(buffer);
    for (const { buffer } of this.#segments) free(buffer as ArrayBuffer);
    this.#packs.length = 0;
    this.#segments.length = 0;
  }
}

/** Frees at once what the collector would free at some time. */
function free(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}

/** One lane: does what it is told for any number of runs, one message at a time, all of it synchronous and in this thread. */
export class Lane {
  readonly #post: Post;
  readonly #random: Random;
  readonly #runs = new Map<number, BackupLane | RestoreLane>();
  readonly #buffers = new LaneBuffers();

  constructor(post: Post, random: Random) {
    this.#post = post;
    this.#random = random;
  }

  receive(message: ToLane): void {
    if (message.kind === "reuse") {
      if (this.#runs.size > 0) this.#buffers.givePack(message.buffer);
      else free(message.buffer);
      return;
    }
    if (message.kind === "trim") {
      this.#buffers.release();
      return;
    }
    if (message.kind === "stop") {
      for (const run of this.#runs.values()) run.close();
      this.#runs.clear();
      return;
    }
    try {
      this.#run(message);
    } catch (error) {
      this.#runs.get(message.run)?.close();
      this.#runs.delete(message.run);
      this.#post({ kind: "failed", run: message.run, error: carryError(error) });
    }
  }

  /** What comes for a run that has failed here or has ended is dropped: the engine knows, or is about to. */
  #run(message: Exclude<ToLane, { kind: "reuse" | "trim" | "stop" }>): void {
    const run = this.#runs.get(message.run);
    if (message.kind === "openBackup") this.#runs.set(message.run, new BackupLane(message, this.#post, this.#random, this.#buffers));
    else if (message.kind === "openRestore") this.#runs.set(message.run, new RestoreLane(message, this.#post, this.#buffers));
    else if (message.kind === "verify") {
      const { keys, packId, pack, placed } = message;
      this.#post({ kind: "verified", run: message.run, verdict: verifyPack(keys, packId, pack, placed) });
    } else if (message.kind === "end") {
      run?.close();
      this.#runs.delete(message.run);
      this.#buffers.release();
    } else if (run instanceof BackupLane) {
      if (message.kind === "scan") run.scan(message);
      else if (message.kind === "store") run.store(message);
      else if (message.kind === "flush") run.flush();
    } else if (run instanceof RestoreLane && message.kind === "restore") run.restore(message);
  }
}

interface Segment {
  chunks: Float64Array;
  ids: Uint8Array;
  buffer: Uint8Array;
}

class BackupLane {
  readonly #setup: Message<"openBackup">;
  readonly #post: Post;
  readonly #random: Random;
  readonly #source: Source | undefined;
  readonly #hasher: ChunkHasher;
  readonly #zeros: Uint8Array;
  readonly #segments = new Map<number, Segment>();
  readonly #buffers: LaneBuffers;
  #writer: PackWriter | undefined;

  constructor(setup: Message<"openBackup">, post: Post, random: Random, buffers: LaneBuffers) {
    this.#setup = setup;
    this.#post = post;
    this.#random = random;
    this.#buffers = buffers;
    this.#source = setup.source && openFileSource(setup.source.path);
    this.#hasher = new ChunkHasher(setup.keys.chunkId);
    this.#zeros = new Uint8Array(setup.chunkBytes);
  }

  scan({ run, segment, chunks, parentIds, bytes }: Message<"scan">): void {
    const buffer = bytes ?? this.#buffers.segment();
    const readBytes = this.#read(chunks, bytes === undefined ? buffer : undefined);
    const ids = new Uint8Array(chunks.length * ID_BYTES);
    const flags = new Uint8Array(chunks.length);
    let candidates = 0;
    for (let at = 0; at < chunks.length; at++) {
      const plain = this.#plain(chunks, buffer, at);
      if (Buffer.compare(plain, plain.length === this.#zeros.length ? this.#zeros : this.#zeros.subarray(0, plain.length)) === 0) continue;
      const id = this.#hasher.idOf(plain);
      ids.set(id, at * ID_BYTES);
      const same = parentIds !== undefined && Buffer.compare(id, parentIds.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)) === 0;
      flags[at] = same ? scanned.same : scanned.candidate;
      if (!same) candidates++;
    }
    if (candidates > 0) this.#segments.set(segment, { chunks, buffer, ids: ids.slice() });
    else this.#buffers.giveSegment(buffer);
    this.#post({ kind: "scanned", run, segment, ids, flags, readBytes }, [ids.buffer, flags.buffer]);
  }

  store({ run, segment, flags }: Message<"store">): void {
    const held = this.#segments.get(segment);
    invariant(held, "a segment is stored once, after it was scanned");
    this.#segments.delete(segment);
    const packIds = new Uint8Array(flags.reduce((sum, flag) => sum + flag, 0) * 16);
    let sealed = 0;
    let storedBytes = 0;
    let compressed = false;
    const gate = new CompressionGate(this.#setup.compressionLevel);
    for (let at = 0; at < flags.length; at++) {
      if (flags[at] !== 1) continue;
      const writer = (this.#writer ??= this.#newWriter());
      const plain = this.#plain(held.chunks, held.buffer, at);
      const isTried = gate.isWorthTrying(plain);
      const entry = writer.add(held.ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES), plain, isTried);
      if (isTried) gate.tell(entry.compressed);
      packIds.set(writer.packId, sealed++ * 16);
      storedBytes += entry.length;
      compressed ||= entry.compressed;
      if (writer.isFull) this.#handOver();
    }
    this.#buffers.giveSegment(held.buffer);
    this.#post({ kind: "stored", run, segment, packIds, storedBytes, compressed }, [packIds.buffer]);
  }

  flush(): void {
    if (this.#writer !== undefined) this.#handOver();
    this.#post({ kind: "flushed", run: this.#setup.run });
  }

  close(): void {
    this.#source?.close();
    for (const { buffer } of this.#segments.values()) this.#buffers.giveSegment(buffer);
    this.#segments.clear();
    this.#writer = undefined;
  }

  /** Reads the chunks into `buffer`, one after the other; neighbours in one read. Returns how many bytes they have. */
  #read(chunks: Float64Array, buffer: Uint8Array | undefined): number {
    const { chunkBytes, sizeBytes } = this.#setup;
    let total = 0;
    for (let first = 0; first < chunks.length;) {
      let next = first + 1;
      while (next < chunks.length && chunks[next] === chunks[next - 1]! + 1) next++;
      const offset = chunks[first]! * chunkBytes;
      const length = Math.min((next - first) * chunkBytes, sizeBytes - offset);
      if (buffer !== undefined) this.#source!.read(offset, buffer.subarray(first * chunkBytes, first * chunkBytes + length));
      total += length;
      first = next;
    }
    return total;
  }

  #plain(chunks: Float64Array, buffer: Uint8Array, at: number): Uint8Array {
    const { chunkBytes, sizeBytes } = this.#setup;
    const length = Math.min(chunkBytes, sizeBytes - chunks[at]! * chunkBytes);
    return buffer.subarray(at * chunkBytes, at * chunkBytes + length);
  }

  #newWriter(): PackWriter {
    const { tenant, keys, compressionLevel, packTargetBytes } = this.#setup;
    const buffer = this.#buffers.pack();
    return new PackWriter({
      tenant,
      packId: this.#random.bytes(16),
      keys,
      kind: "data",
      targetBytes: packTargetBytes,
      compressionLevel,
      ...(buffer && { buffer: Buffer.from(buffer) }),
    });
  }

  #handOver(): void {
    const { packId, bytes, entries } = this.#writer!.finish();
    this.#writer = undefined;
    this.#post({ kind: "pack", run: this.#setup.run, packId, bytes, entries }, [bytes.buffer as ArrayBuffer]);
  }
}

class RestoreLane {
  readonly #setup: Message<"openRestore">;
  readonly #post: Post;
  readonly #target: FileTarget;
  readonly #keys: TenantKeys;
  readonly #buffers: LaneBuffers;
  readonly #staging: Uint8Array;
  /** Bytes of `#staging` that wait to be written at `#stagedAt`. */
  #staged = 0;
  #stagedAt = 0;

  constructor(setup: Message<"openRestore">, post: Post, buffers: LaneBuffers) {
    this.#setup = setup;
    this.#post = post;
    this.#keys = setup.keys;
    this.#buffers = buffers;
    this.#staging = buffers.staging;
    this.#target = joinFileTarget(setup.path);
  }

  restore({ run, job, range }: Message<"restore">): void {
    const bytes = this.#bytesOf(range);
    if (bytes === undefined) return this.#post({ kind: "packGone", run, job, range });
    let writtenBytes = 0;
    for (const record of range.records) {
      if (this.#open(range, record, bytes)) writtenBytes += record.plainLength * record.targets.length;
    }
    this.#writeStaged();
    this.#post({ kind: "restored", run, job, writtenBytes });
  }

  close(): void {
    this.#target.close();
  }

  /** Opens one record behind what is staged, or afresh when it does not follow on that. False when it is damaged and left as a hole. */
  #open(range: PackRange, record: RangeRecord, bytes: Uint8Array): boolean {
    const [first, ...others] = record.targets;
    invariant(first !== undefined, "a wanted record has a place");
    const follows = this.#staged > 0 && first === this.#stagedAt + this.#staged && this.#staged + record.plainLength <= this.#staging.length;
    if (!follows) {
      this.#writeStaged();
      this.#stagedAt = first;
    }
    const into = this.#staging.subarray(this.#staged, this.#staged + record.plainLength);
    const sealed = bytes.subarray(record.offset - range.offset, record.offset - range.offset + record.length);
    try {
      openRecord(this.#keys, range.packId, sealed, record, { trustTag: true, into });
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error;
      const { id, targets, plainLength } = record;
      this.#post({ kind: "damaged", run: this.#setup.run, packId: range.packId, id, targets, plainLength, reason: error.message });
      if (this.#setup.allowHoles) return false;
      throw locate(error, this.#setup.backupId, first, plainLength);
    }
    this.#staged += record.plainLength;
    for (const offset of others) this.#target.write(offset, into);
    return true;
  }

  #writeStaged(): void {
    if (this.#staged > 0) this.#target.write(this.#stagedAt, this.#staging.subarray(0, this.#staged));
    this.#staged = 0;
  }

  /** Undefined when there is no such pack. */
  #bytesOf({ from, packId, offset, length, records }: PackRange): Uint8Array | undefined {
    if ("bytes" in from) return from.bytes;
    const into = this.#buffers.packBytes(length);
    if (this.#setup.allowHoles) into.fill(0);
    try {
      const fd = openSync(from.path, "r");
      try {
        for (let done = 0; done < length;) {
          const count = readSync(fd, into, done, length - done, offset + done);
          if (count === 0) throw new Error("the pack ends before the record");
          done += count;
        }
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code;
      if (errno === "ENOENT") return undefined;
      // What could not be read is zeros now, which no record is.
      if (this.#setup.allowHoles && (errno === undefined || errno === "EIO")) return into;
      const cause = new RepositoryError("corruptPack", `pack ${Buffer.from(packId).toString("hex")}: ${(error as Error).message}`, error);
      throw locate(cause, this.#setup.backupId, records[0]!.targets[0]!, records[0]!.plainLength);
    }
    return into;
  }
}

/** Adds to an error of the repository which backup and which of its bytes it concerns. */
export function locate(error: unknown, backupId: string, offset: number, length: number): unknown {
  if (!(error instanceof RepositoryError)) return error;
  return new RepositoryError(error.code, `backup ${backupId}, bytes ${offset} to ${offset + length}: ${error.message}`, error);
}
