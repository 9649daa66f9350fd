import { PACK_TARGET_BYTES, SEGMENT_BYTES } from "./lane-messages.ts";

/*
 * Large memory of one engine, counted in advance. With L lanes, packs of P bytes and R runs:
 *
 *   engine thread            96 MiB      isolate, SQLite's cache, kept pages (4) and chunks (32), packs of pages on their way
 *   each lane                16 MiB      isolate, staging (4), bytes of a pack that is read (4)
 *   each of R runs           16 MiB      open pages (64 × 64 KiB), plan of a restore, packs of pages (3 × 4)
 *   shared by the runs       the rest    seats in lanes
 *
 * A backup's seat in a lane: 3 segments of 4 MiB, the pack being filled and one on its way to the store: 12 + 2 (P + 1) MiB, 78 for packs of 32 MiB;
 * and, where the share allows, a second pack on its way. A restore's seat: 3 stretches of packs of 4 MiB. With the default of 512 MiB and two lanes
 * 512 − 96 − 2 × 16 − 4 × 16 = 320 MiB are shared: one run has two lanes with two packs on their way each (222), two runs two lanes each (156),
 * four one each (78). What grows with the disk is small and comes on top: 1 bit per chunk and 32 bytes per page in the map and manifest, 0.7 MiB
 * per TiB.
 */

const MIB = 1024 * 1024;
export const DEFAULT_MEMORY_BYTES = 512 * MIB;
export const MINIMUM_MEMORY_BYTES = 256 * MIB;
const ENGINE_BYTES = 96 * MIB;
const LANE_BYTES = 16 * MIB;
const RUN_BYTES = 16 * MIB;
/** Runs at work at once; more wait in turn. */
const RUNS_AT_ONCE = 4;
const SMALLEST_PACK_BYTES = 8 * MIB;
/** Segments or stretches that a lane holds for one run: one in work, the others read ahead while answers are on their way. */
export const WORK_PER_LANE = 3;
/** Chunks from this size on can make a full pack outgrow its target by more than 1 MiB: its memory then grows once, by little more than 8. */
const LARGE_CHUNK_BYTES = MIB / 2;

export interface MemoryPlan {
  /** Threads that hash, compress and encrypt: as many as asked for, or as find room. */
  laneCount: number;
  runsAtOnce: number;
  packTargetBytes: number;
  /** For the seats of all runs together. */
  sharedBytes: number;
}

/** Memory of one pack while it is filled and until it is stored. */
export const packMemory = (targetBytes: number, chunkBytes: number): number => targetBytes + (chunkBytes >= LARGE_CHUNK_BYTES ? 10 : 1) * MIB;

/**
 * Memory that a backup needs in a lane to work there at all. Segments that were on their way when a pack became full may fill further small packs.
 */
export function backupSeatBytes(targetBytes: number, chunkBytes: number): number {
  const packs = 2 + Math.floor((WORK_PER_LANE * SEGMENT_BYTES) / targetBytes);
  return WORK_PER_LANE * SEGMENT_BYTES + packs * packMemory(targetBytes, chunkBytes);
}

export const RESTORE_SEAT_BYTES = WORK_PER_LANE * SEGMENT_BYTES;

/**
 * Divides `totalBytes` for up to `laneCount` lanes: packs as large as leave a seat in every lane and one for every run; with little memory fewer
 * runs, then fewer lanes.
 */
export function planMemory(totalBytes: number, laneCount: number): MemoryPlan {
  for (let lanes = Math.max(1, laneCount); ; lanes--) {
    for (const runsAtOnce of [RUNS_AT_ONCE, RUNS_AT_ONCE / 2, 1]) {
      const sharedBytes = totalBytes - ENGINE_BYTES - lanes * LANE_BYTES - runsAtOnce * RUN_BYTES;
      for (let packTargetBytes = PACK_TARGET_BYTES; packTargetBytes >= SMALLEST_PACK_BYTES; packTargetBytes /= 2) {
        const seat = backupSeatBytes(packTargetBytes, MIB / 4);
        if (sharedBytes >= seat * Math.max(lanes, runsAtOnce)) return { laneCount: lanes, runsAtOnce, packTargetBytes, sharedBytes };
      }
    }
    if (lanes === 1) throw new RangeError(`${totalBytes} bytes of memory are too few: at least ${MINIMUM_MEMORY_BYTES} are needed`);
  }
}

/** What the runs of one engine hold of their common memory. Every run that is let in can always have one share of it: the larger ones make room. */
export class MemoryBudget {
  readonly plan: MemoryPlan;
  readonly #shares = new Set<MemoryShare>();
  readonly #seatsAt: number[];
  #reserved = 0;
  #peak = 0;

  constructor(plan: MemoryPlan) {
    this.plan = plan;
    this.#seatsAt = Array.from({ length: plan.laneCount }, () => 0);
  }

  get reservedBytes(): number {
    return this.#reserved;
  }

  /** The most that was ever reserved at once. */
  get peakBytes(): number {
    return this.#peak;
  }

  get hasRoom(): boolean {
    return this.#shares.size < this.plan.runsAtOnce;
  }

  /** `onChange`: called when the share has become another one, or when there is memory again. */
  open(onChange: () => void): MemoryShare {
    const share = new MemoryShare(this, onChange);
    this.#shares.add(share);
    this.#tell();
    return share;
  }

  /** For shares only. */
  reserve(share: MemoryShare, bytes: number): boolean {
    if (this.#reserved + bytes > this.plan.sharedBytes) return false;
    // A share too small for one seat of large chunks still is one run: it may have what it needs when nobody else wants it.
    if (share.heldBytes > 0 && share.heldBytes + bytes > this.shareBytes) return false;
    this.#reserved += bytes;
    this.#peak = Math.max(this.#peak, this.#reserved);
    return true;
  }

  /** For shares only. */
  release(bytes: number): void {
    this.#reserved -= bytes;
    this.#tell();
  }

  /** For shares only. */
  close(share: MemoryShare, bytes: number): void {
    this.#shares.delete(share);
    this.release(bytes);
  }

  /** What each run may hold now. */
  get shareBytes(): number {
    return Math.floor(this.plan.sharedBytes / Math.max(1, this.#shares.size));
  }

  /** How many runs sit in a lane. */
  seatsAt(lane: number): number {
    return this.#seatsAt[lane] ?? 0;
  }

  /** For {@link LaneSeats} only. */
  countSeat(lane: number, change: 1 | -1): void {
    this.#seatsAt[lane]! += change;
  }

  #tell(): void {
    for (const share of this.#shares) share.onChange();
  }
}

/** One run's part of the budget. */
export class MemoryShare {
  readonly budget: MemoryBudget;
  readonly onChange: () => void;
  #held = 0;
  #closed = false;

  constructor(budget: MemoryBudget, onChange: () => void) {
    this.budget = budget;
    this.onChange = onChange;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Bytes that it holds beyond what it may. */
  get excessBytes(): number {
    return Math.max(0, this.#held - this.budget.shareBytes);
  }

  /** False when there is no room now; `onChange` tells when to ask again. */
  take(bytes: number): boolean {
    if (this.#closed || !this.budget.reserve(this, bytes)) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.budget.release(bytes);
  }

  /** Gives back all that is held. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const held = this.#held;
    this.#held = 0;
    this.budget.close(this, held);
  }
}
