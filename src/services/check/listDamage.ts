import type { Caller } from "#model/caller.ts";
import type { BackupDamage } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { missingRoots } from "../support/missing-roots.ts";

/** Every disk backup of the project that is known to have lost something. */
export async function listDamage(context: Context, caller: Caller): Promise<BackupDamage[]> {
  return [...(await context.engine.damage(caller.projectId)), ...(await missingRoots(context, caller.projectId))];
}
