import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findVolume } from "../support/find.ts";

/** @throws DomainError `volumeNotFound` */
export async function showVolume(context: Context, caller: Caller, input: { volumeId: Id }): Promise<Volume> {
  return findVolume(context.catalog, caller, input.volumeId);
}
