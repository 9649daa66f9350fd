import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { viewCheckpoint } from "../support/checkpoint-view.ts";
import type { CheckpointView } from "../views.ts";

/** @throws DomainError `checkpointNotFound` */
export async function showCheckpoint(context: Context, caller: Caller, input: { checkpointId: Id }): Promise<CheckpointView> {
  return viewCheckpoint(context.catalog, caller, input.checkpointId);
}
