import type { Clock } from "#platform/clock.ts";
import type { Random } from "#platform/random.ts";
import type { ObjectStore } from "#storage/store.ts";
import type { Claims } from "./backup-pipeline-claims.ts";
import type { Turns } from "./engine-gate.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import type { ChunkIndex } from "./index.ts";
import type { LanePool } from "./lane-pool.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** What every backup of the engine works with. */
export interface BackupContext {
  store: ObjectStore;
  index: ChunkIndex;
  lanes: LanePool;
  memory: MemoryBudget;
  claims: Claims;
  /** In whose turn packs are written. */
  writes: Turns;
  reader: RepositoryReader;
  random: Random;
  clock: Clock;
}
