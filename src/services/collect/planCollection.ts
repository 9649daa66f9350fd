import type { Caller } from "#model/caller.ts";
import type { CollectReport } from "#repository/collect.ts";
import type { Context } from "../context.ts";
import { collectRequest } from "./collectRequest.ts";

/** What a collection would do now, and why; changes nothing. A project without anything in the store has an empty plan. */
export async function planCollection(
  context: Context,
  caller: Pick<Caller, "projectId">,
  { force = false } = {},
): Promise<CollectReport | undefined> {
  if ((await context.engine.storedBytes(caller.projectId)) === 0) return undefined;
  return await context.engine.collect(collectRequest(context, caller.projectId, { dryRun: true, force }), {});
}
