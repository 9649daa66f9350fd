import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { CheckpointView } from "../views.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export interface CreateCheckpointInput {
  vaultId: Id;
  name?: string;
  description?: string | null;
  /** Default true: compare with the newest backup where there is one. */
  incremental?: boolean;
  autoTrigger?: boolean;
  /** A subset of the vault's resources; absent = all of them. */
  resourceIds?: Id[];
  /** Days that the backups are kept; absent = until deleted. An extension of ours to `parameters`. */
  retentionDays?: number;
}

export async function createCheckpoint(_context: Context, _caller: Caller, _input: CreateCheckpointInput): Promise<CheckpointView> {
  throw new InvariantError("createCheckpoint is being written");
}
