/**
 * The straight line that the engine is measured against: read, zero check, BLAKE3, zstd-1, AES-256-GCM, write, in two worker threads, with
 * Node's own functions; no index, no verification, one growing file per thread. A second run compares each chunk with the first run's hash.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Blake3Hasher } from "@napi-rs/blake-hash";
import { openFileSource } from "../src/sources/file.ts";

const CHUNK = 256 * 1024;
const SEGMENT = 4 * 1024 * 1024;
const TAG = 16;
const THREADS = 2;

/** Where a chunk went: file (thread), offset, stored length with the tag; raw when compression did not pay. */
interface Placed {
  hash: string;
  file: string;
  offset: number;
  stored: number;
  raw: boolean;
}

/** What one run leaves: a place for each chunk that is not zero. */
export type Manifest = Map<number, Placed>;

type Job =
  | {
      kind: "backup";
      source: string;
      sizeBytes: number;
      segments: number[];
      next: SharedArrayBuffer;
      key: Uint8Array;
      file: string;
      parent: Manifest | undefined;
    }
  | { kind: "restore"; target: string; sizeBytes: number; chunks: [number, Placed][]; next: SharedArrayBuffer; key: Uint8Array };

const key = randomBytes(32);

/** Milliseconds, and what was stored. */
export async function ceilingBackup(
  source: string,
  folder: string,
  run: string,
  parent: Manifest | undefined,
): Promise<{ ms: number; manifest: Manifest; storedBytes: number }> {
  const started = performance.now();
  const file = openFileSource(source);
  const segments = new Set<number>();
  for (const { offset, length } of file.allocatedExtents())
    for (let at = Math.floor(offset / SEGMENT); at * SEGMENT < offset + length; at++) segments.add(at);
  const sizeBytes = file.sizeBytes;
  file.close();
  const next = new SharedArrayBuffer(4);
  const parts = await inThreads((thread) => ({
    kind: "backup",
    source,
    sizeBytes,
    segments: [...segments],
    next,
    key,
    file: join(folder, `${run}-${thread}.data`),
    parent,
  }));
  const manifest: Manifest = new Map((parts as [number, Placed][][]).flat());
  const ms = performance.now() - started;
  let storedBytes = 0;
  for (const [chunk, placed] of manifest) if (parent?.get(chunk)?.hash !== placed.hash) storedBytes += placed.stored;
  return { ms, manifest, storedBytes };
}

export async function ceilingRestore(manifest: Manifest, target: string, sizeBytes: number): Promise<{ ms: number }> {
  const started = performance.now();
  const fd = openSync(target, "w");
  ftruncateSync(fd, sizeBytes);
  const next = new SharedArrayBuffer(4);
  const chunks = [...manifest].sort(([a], [b]) => a - b);
  await inThreads(() => ({ kind: "restore", target, sizeBytes, chunks, next, key }));
  fsyncSync(fd);
  closeSync(fd);
  return { ms: performance.now() - started };
}

async function inThreads(job: (thread: number) => Job): Promise<unknown[]> {
  return await Promise.all(
    Array.from({ length: THREADS }, (_, thread) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: job(thread) });
      return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    }),
  );
}

function nonceOf(chunk: number): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(0, chunk);
  return nonce;
}

function backup({ source, sizeBytes, segments, next, key: secret, file, parent }: Extract<Job, { kind: "backup" }>): [number, Placed][] {
  const counter = new Int32Array(next);
  const from = openSync(source, "r");
  const to = openSync(file, "w");
  const buffer = Buffer.alloc(SEGMENT);
  const zeros = Buffer.alloc(CHUNK);
  const placed: [number, Placed][] = [];
  const hasher = Blake3Hasher.newKeyed(Buffer.from(secret));
  let written = 0;
  for (let turn = Atomics.add(counter, 0, 1); turn < segments.length; turn = Atomics.add(counter, 0, 1)) {
    const start = segments[turn]! * SEGMENT;
    const length = Math.min(SEGMENT, sizeBytes - start);
    readSync(from, buffer, 0, length, start);
    for (let at = 0; at < length; at += CHUNK) {
      const plain = buffer.subarray(at, Math.min(at + CHUNK, length));
      if (plain.equals(plain.length === CHUNK ? zeros : zeros.subarray(0, plain.length))) continue;
      const chunk = (start + at) / CHUNK;
      hasher.reset();
      const id = hasher.update(plain).digestBuffer().toString("latin1");
      const known = parent?.get(chunk);
      if (known?.hash === id) {
        placed.push([chunk, known]);
        continue;
      }
      const packed = zstdCompressSync(plain, { chunkSize: CHUNK + 2048, params: { [constants.ZSTD_c_compressionLevel]: 1 } });
      const raw = packed.length > plain.length * 0.97;
      const cipher = createCipheriv("aes-256-gcm", secret, nonceOf(chunk));
      const sealed = cipher.update(raw ? plain : packed);
      cipher.final();
      writeSync(to, sealed, 0, sealed.length, written);
      writeSync(to, cipher.getAuthTag(), 0, TAG, written + sealed.length);
      placed.push([chunk, { hash: id, file, offset: written, stored: sealed.length + TAG, raw }]);
      written += sealed.length + TAG;
    }
  }
  fsyncSync(to);
  closeSync(from);
  closeSync(to);
  return placed;
}

function restore({ target, sizeBytes, chunks, next, key: secret }: Extract<Job, { kind: "restore" }>): void {
  const counter = new Int32Array(next);
  const batch = SEGMENT / CHUNK;
  const to = openSync(target, "r+");
  const files = new Map<string, number>();
  const buffer = Buffer.alloc(CHUNK + 4096);
  for (let turn = Atomics.add(counter, 0, batch); turn < chunks.length; turn = Atomics.add(counter, 0, batch)) {
    for (const [chunk, { file, offset, stored, raw }] of chunks.slice(turn, turn + batch)) {
      let from = files.get(file);
      if (from === undefined) files.set(file, (from = openSync(file, "r")));
      readSync(from, buffer, 0, stored, offset);
      const decipher = createDecipheriv("aes-256-gcm", secret, nonceOf(chunk));
      decipher.setAuthTag(buffer.subarray(stored - TAG, stored));
      const packed = decipher.update(buffer.subarray(0, stored - TAG));
      decipher.final();
      const plain = raw ? packed : zstdDecompressSync(packed, { chunkSize: CHUNK });
      writeSync(to, plain, 0, Math.min(plain.length, sizeBytes - chunk * CHUNK), chunk * CHUNK);
    }
  }
  for (const fd of files.values()) closeSync(fd);
  if (fstatSync(to).size !== sizeBytes) throw new Error("the target has another size");
  closeSync(to);
}

if (!isMainThread && parentPort && workerData?.kind) {
  const job = workerData as Job;
  parentPort.postMessage(job.kind === "backup" ? backup(job) : restore(job), []);
}
