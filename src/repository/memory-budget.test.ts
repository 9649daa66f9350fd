import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LaneSeats } from "./lane-seats.ts";
import { backupSeatBytes, DEFAULT_MEMORY_BYTES, MemoryBudget, MINIMUM_MEMORY_BYTES, packMemory, planMemory } from "./memory-budget.ts";

const MIB = 1024 * 1024;
const CHUNK = 256 * 1024;

/** A run that sends work wherever it may, in lanes that finish when they are told to. */
class Run {
  readonly seats: LaneSeats;
  readonly done = { pieces: 0 };
  readonly #lanes = new Map<number, { work: number; packs: number; flushes: number }>();
  constructor(budget: MemoryBudget) {
    const { packTargetBytes } = budget.plan;
    const share = budget.open(() => {});
    this.seats = new LaneSeats(share, {
      seatBytes: backupSeatBytes(packTargetBytes, CHUNK),
      extraBytes: packMemory(packTargetBytes, CHUNK),
      flush: (lane) => this.#at(lane).flushes++,
      left: (lane) => assert.deepEqual(this.#at(lane), { work: 0, packs: 0, flushes: 0 }, "a lane is left only when it has nothing of the run"),
    });
  }

  send(): boolean {
    const lane = this.seats.free();
    if (lane < 0) return false;
    this.#at(lane).work++;
    this.seats.began(lane);
    return true;
  }

  /** Lets one thing in one lane come to its end; false when there is nothing. */
  step(choice: number): boolean {
    const busy = [...this.#lanes].filter(([, { work, packs, flushes }]) => work + packs + flushes > 0);
    if (busy.length === 0) return false;
    const [lane, has] = busy[choice % busy.length]!;
    if (has.work > 0) {
      if (choice % 3 === 0) this.#pack(lane);
      has.work--;
      this.done.pieces++;
      this.seats.ended(lane);
    } else if (has.flushes > 0) {
      if (choice % 2 === 0) this.#pack(lane);
      has.flushes--;
      this.seats.flushed(lane);
    } else {
      has.packs--;
      this.seats.packEnded(lane);
    }
    return true;
  }

  #pack(lane: number): void {
    this.#at(lane).packs++;
    this.seats.packBegan(lane);
  }

  #at(lane: number): { work: number; packs: number; flushes: number } {
    let at = this.#lanes.get(lane);
    if (at === undefined) this.#lanes.set(lane, (at = { work: 0, packs: 0, flushes: 0 }));
    return at;
  }
}

test("any budget is divided so that every lane and every run has a seat", () => {
  fc.assert(
    fc.property(fc.integer({ min: MINIMUM_MEMORY_BYTES, max: 8192 * MIB }), fc.integer({ min: 1, max: 64 }), (bytes, lanes) => {
      const plan = planMemory(bytes, lanes);
      assert.ok(plan.laneCount >= 1 && plan.laneCount <= lanes && plan.runsAtOnce >= 1);
      assert.ok(plan.sharedBytes < bytes);
      assert.ok(backupSeatBytes(plan.packTargetBytes, CHUNK) * Math.max(plan.laneCount, plan.runsAtOnce) <= plan.sharedBytes);
    }),
  );
  assert.throws(() => planMemory(100 * MIB, 2), RangeError);
});

test("the default gives two lanes packs of 32 MiB, and four runs", () => {
  const plan = planMemory(DEFAULT_MEMORY_BYTES, 2);
  assert.deepEqual(plan, { laneCount: 2, runsAtOnce: 4, packTargetBytes: 32 * MIB, sharedBytes: 320 * MIB });
});

test("whatever runs come and go, their memory stays within the budget, and every one of them gets on", () => {
  const step = fc.record({ run: fc.nat(3), what: fc.constantFrom("open", "send", "send", "send", "step", "step", "close"), choice: fc.nat(1000) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 256, max: 1500 }), fc.array(step, { maxLength: 300 }), (lanes, mib, steps) => {
      const budget = new MemoryBudget(planMemory(mib * MIB, lanes));
      const runs = new Map<number, Run>();
      for (const { run: name, what, choice } of steps) {
        const run = runs.get(name);
        if (what === "open" && run === undefined && budget.hasRoom) runs.set(name, new Run(budget));
        else if (what === "send") run?.send();
        else if (what === "step") run?.step(choice);
        else if (what === "close" && run !== undefined) {
          run.seats.close();
          runs.delete(name);
        }
        assert.ok(budget.reservedBytes <= budget.plan.sharedBytes);
      }
      // All that is left comes to its end, and each run can send again after the others have had their turn.
      for (let round = 0; round < 60; round++) for (const run of runs.values()) for (let n = 0; n < 6; n++) run.step(n * 7 + round);
      for (const run of runs.values()) {
        run.seats.settle();
        assert.ok(run.send(), "a run always has a lane");
      }
      for (const run of runs.values()) run.seats.close();
      assert.equal(budget.reservedBytes, 0);
      assert.ok(budget.peakBytes <= budget.plan.sharedBytes);
      for (let lane = 0; lane < budget.plan.laneCount; lane++) assert.equal(budget.seatsAt(lane), 0);
    }),
    { numRuns: 150 },
  );
});

test("a run alone has every lane, and leaves some when others come", () => {
  const budget = new MemoryBudget(planMemory(DEFAULT_MEMORY_BYTES, 2));
  const seated = (): number[] => [budget.seatsAt(0), budget.seatsAt(1)];
  const first = new Run(budget);
  while (first.send());
  assert.deepEqual(seated(), [1, 1]);
  const others = [new Run(budget), new Run(budget), new Run(budget)];
  assert.equal(budget.hasRoom, false);
  for (let n = 0; n < 100; n++) first.step(n);
  for (const run of others) assert.ok(run.send());
  assert.deepEqual(seated(), [2, 2]);
});
