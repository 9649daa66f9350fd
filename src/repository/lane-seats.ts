import { WORK_PER_LANE } from "./memory-budget.ts";
import type { MemoryShare } from "./memory-budget.ts";

/** What one run has in one lane. */
interface Seat {
  state: "none" | "taken" | "leaving";
  /** Pieces of work that the lane has not finished. */
  work: number;
  /** Packs of the lane on their way to the store. */
  packs: number;
  /** Memory for a second pack on its way. */
  extra: boolean;
  /** Answers to a flush that are awaited. */
  flushes: number;
  flushed: boolean;
}

export interface SeatNeeds {
  seatBytes: number;
  /** Of a second pack on its way to the store; 0 = there are no packs. */
  extraBytes: number;
  /** Asks a lane to hand over the pack that it fills; answered through {@link LaneSeats.flushed}. Absent = there is none. */
  flush?(lane: number): void;
  /** The lane has nothing of the run any more and may let its memory go. */
  left(lane: number): void;
}

/**
 * In which lanes one run works, and how much it may send there: a lane is sat in only with memory for what it can hold. When the run's share
 * shrinks because others have come, it leaves lanes; it always keeps one.
 */
export class LaneSeats {
  readonly #share: MemoryShare;
  readonly #needs: SeatNeeds;
  readonly #seats: Seat[];

  constructor(share: MemoryShare, needs: SeatNeeds) {
    this.#share = share;
    this.#needs = needs;
    const { laneCount } = share.budget.plan;
    this.#seats = Array.from({ length: laneCount }, () => ({ state: "none", work: 0, packs: 0, extra: false, flushes: 0, flushed: false }));
  }

  /** A lane that takes a piece of work now, the least busy one; -1 when there is none. */
  free(): number {
    this.settle();
    let best = -1;
    for (const [lane, seat] of this.#seats.entries()) {
      if (seat.state !== "taken" || seat.work >= WORK_PER_LANE || seat.packs >= this.#packsAllowed(seat)) continue;
      if (best < 0 || seat.work < this.#seats[best]!.work) best = lane;
    }
    if (best >= 0 && this.#seats[best]!.work === 0) return best;
    const further = this.#sit();
    if (further >= 0) return further;
    return best >= 0 ? best : this.#takeExtra();
  }

  began(lane: number): void {
    this.#seats[lane]!.work++;
  }

  ended(lane: number): void {
    this.#seats[lane]!.work--;
    this.settle();
  }

  packBegan(lane: number): void {
    this.#seats[lane]!.packs++;
  }

  packEnded(lane: number): void {
    this.#seats[lane]!.packs--;
    this.settle();
  }

  /** Asks every lane for the pack that it fills. */
  flushAll(): void {
    for (const [lane, seat] of this.#seats.entries()) if (seat.state !== "none") this.#flush(lane, seat);
  }

  flushed(lane: number): void {
    this.#seats[lane]!.flushes--;
    this.settle();
  }

  /** Every flush was answered, and every pack has arrived. */
  get isFlushed(): boolean {
    return this.#seats.every(({ flushes }) => flushes === 0) && this.packs === 0;
  }

  get packs(): number {
    return this.#seats.reduce((sum, { packs }) => sum + packs, 0);
  }

  get work(): number {
    return this.#seats.reduce((sum, { work }) => sum + work, 0);
  }

  /**
   * Leaves every lane and gives all memory back. The lanes let go of theirs when they hear that the run has ended, before any work that comes
   * later.
   */
  close(): void {
    for (const [lane, seat] of this.#seats.entries()) {
      if (seat.state !== "none") this.#share.budget.countSeat(lane, -1);
      seat.state = "none";
    }
    this.#share.close();
  }

  /** Makes room where the share has become smaller. */
  settle(): void {
    let excess = this.#share.excessBytes;
    for (const [lane, seat] of this.#seats.entries()) {
      if (seat.state === "leaving") excess -= this.#bytesOf(seat);
      else if (excess > 0 && seat.extra && seat.packs <= 1) {
        excess -= this.#needs.extraBytes;
        seat.extra = false;
        this.#share.give(this.#needs.extraBytes);
      }
      if (seat.state === "leaving") this.#tryLeave(lane, seat);
    }
    const taken = this.#seats.filter(({ state }) => state === "taken");
    while (excess > 0 && taken.length > 1) {
      const seat = taken.pop()!;
      seat.state = "leaving";
      seat.flushed = false;
      excess -= this.#bytesOf(seat);
      this.#tryLeave(this.#seats.indexOf(seat), seat);
    }
  }

  #tryLeave(lane: number, seat: Seat): void {
    if (seat.work > 0) return;
    if (!seat.flushed) {
      seat.flushed = true;
      this.#flush(lane, seat);
    }
    if (seat.flushes > 0 || seat.packs > 0) return;
    const bytes = this.#bytesOf(seat);
    seat.state = "none";
    seat.extra = false;
    this.#share.budget.countSeat(lane, -1);
    this.#needs.left(lane);
    this.#share.give(bytes);
  }

  #flush(lane: number, seat: Seat): void {
    if (this.#needs.flush === undefined) return;
    seat.flushes++;
    this.#needs.flush(lane);
  }

  /** Sits down in the lane with the fewest runs, if there is memory. */
  #sit(): number {
    const { budget } = this.#share;
    let best = -1;
    for (const [lane, { state }] of this.#seats.entries())
      if (state === "none" && (best < 0 || budget.seatsAt(lane) < budget.seatsAt(best))) best = lane;
    if (best < 0 || !this.#share.take(this.#needs.seatBytes)) return -1;
    this.#seats[best]!.state = "taken";
    budget.countSeat(best, 1);
    return best;
  }

  /** Memory for a second pack in a lane that only waits for the store. */
  #takeExtra(): number {
    if (this.#needs.extraBytes === 0) return -1;
    const lane = this.#seats.findIndex(({ state, work, packs, extra }) => state === "taken" && !extra && packs === 1 && work < WORK_PER_LANE);
    if (lane < 0 || !this.#share.take(this.#needs.extraBytes)) return -1;
    this.#seats[lane]!.extra = true;
    return lane;
  }

  #packsAllowed({ extra }: Seat): number {
    if (this.#needs.extraBytes === 0) return Infinity;
    return extra ? 2 : 1;
  }

  #bytesOf({ extra }: Seat): number {
    return this.#needs.seatBytes + (extra ? this.#needs.extraBytes : 0);
  }
}
