import type { CarriedError } from "#platform/threads.ts";
import type { SourceSpec } from "#sources/source.ts";
import type { PackVerdict } from "./check-pack.ts";
import type { PlacedRecord } from "./damage.ts";
import type { TenantKeys } from "./keys.ts";
import type { PackEntry } from "./pack.ts";

/**
 * What the engine thread and its lanes tell each other. A lane answers in the order in which it is told; every message belongs to a run
 * (one backup or restore), and a run's answers after its `end` are ignored by the engine.
 */
export type ToLane =
  | {
      kind: "openBackup";
      run: number;
      tenant: string;
      keys: TenantKeys;
      /** Absent where every scan brings its bytes. */
      source: SourceSpec | undefined;
      chunkBytes: number;
      sizeBytes: number;
      compressionLevel: number;
      packTargetBytes: number;
    }
  /** Read, check for zeros, hash and compare the chunks with these numbers, ascending; `parentIds` has 32 bytes for each, zeros for a hole;
   * `bytes` are the chunks themselves, each at a multiple of the chunk size, where they are not to be read. */
  | { kind: "scan"; run: number; segment: number; chunks: Float64Array; parentIds: Uint8Array | undefined; bytes: Uint8Array | undefined }
  /** Seal the chunks whose flag is 1; forget the segment. */
  | { kind: "store"; run: number; segment: number; flags: Uint8Array }
  /** Hand over the pack that is being filled, if any. */
  | { kind: "flush"; run: number }
  | { kind: "openRestore"; run: number; backupId: string; tenant: string; keys: TenantKeys; chunkBytes: number; path: string; allowHoles: boolean }
  /** Open these records and write each where it belongs. */
  | { kind: "restore"; run: number; job: number; range: PackRange }
  /** Verify a whole pack; answered at once. */
  | { kind: "verify"; run: number; keys: TenantKeys; packId: Uint8Array; pack: Uint8Array; placed: readonly PlacedRecord[] }
  | { kind: "end"; run: number }
  /** Let go of large buffers that are kept for later. */
  | { kind: "trim" }
  /** A pack buffer that the store is done with, to be filled again. */
  | { kind: "reuse"; buffer: ArrayBuffer }
  | { kind: "stop" };

/** A stretch of one pack with the records in it that are wanted. */
export interface PackRange {
  packId: Uint8Array;
  /** The pack as a file, or the stretch's bytes where the store has no files. */
  from: { path: string } | { bytes: Uint8Array };
  offset: number;
  length: number;
  records: RangeRecord[];
}

export interface RangeRecord {
  slot: number;
  /** In the pack. */
  offset: number;
  length: number;
  plainLength: number;
  id: Uint8Array;
  /** Where the chunk belongs in the image; several where it repeats. */
  targets: number[];
}

/** What a scan found at a chunk's place. */
export const scanned = { zero: 0, same: 1, candidate: 2 } as const;

export type FromLane =
  | { kind: "scanned"; run: number; segment: number; ids: Uint8Array; flags: Uint8Array; readBytes: number }
  /** `packIds` has 16 bytes for each chunk that was sealed, in order. */
  | { kind: "stored"; run: number; segment: number; packIds: Uint8Array; storedBytes: number; compressed: boolean }
  | { kind: "pack"; run: number; packId: Uint8Array; bytes: Uint8Array; entries: PackEntry[] }
  | { kind: "flushed"; run: number }
  | { kind: "verified"; run: number; verdict: PackVerdict }
  | { kind: "restored"; run: number; job: number; writtenBytes: number }
  /** There is no such pack: nothing of the range was restored. Collection may have moved its chunks. */
  | { kind: "packGone"; run: number; job: number; range: PackRange }
  /** A record of a pack did not verify; its chunk belongs at these places of the image. With `allowHoles` the run goes on. */
  | { kind: "damaged"; run: number; packId: Uint8Array; id: Uint8Array; targets: number[]; plainLength: number; reason: string }
  | { kind: "failed"; run: number; error: CarriedError };

/** Plain bytes that a lane is given in one scan, and that it reads from a pack at once. */
export const SEGMENT_BYTES = 4 * 1024 * 1024;
export const PACK_TARGET_BYTES = 32 * 1024 * 1024;
