import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { Page, Listed } from "#catalog/tables.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Id } from "#model/ids.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listSnapshots(_context: Context, _caller: Caller, _input: { filter: { volumeId?: Id; name?: string; status?: string; allProjects?: boolean }; page: Page }): Promise<Listed<Snapshot>> {
  throw new InvariantError("listSnapshots is being written");
}
