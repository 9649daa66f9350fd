import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findVolume } from "../support/find.ts";
import { hasOpenTasks } from "../support/volume-rows.ts";

const settable = ["available", "in-use", "error", "error_restoring", "error_deleting"] as const;

/**
 * Puts the status of an idle volume right by hand: for administrators, after a failure that was dealt with.
 * @throws DomainError `forbidden`, `volumeNotFound`, `invalidRequest`, `volumeStatusForbids` while something works on it
 */
export async function resetVolumeStatus(context: Context, caller: Caller, input: { volumeId: Id; status: string }): Promise<Volume> {
  if (!caller.roles.includes("admin")) throw new DomainError("forbidden", "Only an administrator may set the status of a volume.");
  const status = settable.find((each) => each === input.status);
  if (status === undefined) throw new DomainError("invalidRequest", `status: must be one of ${settable.join(", ")}`, { field: "status" });
  return context.catalog.transaction(async (tables) => {
    const volume = await findVolume(tables, caller, input.volumeId);
    const busy = ["creating", "backing-up", "restoring-backup", "deleting"].includes(volume.status);
    if (busy || (await hasOpenTasks(tables, volume.id))) throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is busy.`);
    await tables.resources.update(volume.id, { status, updatedAt: context.clock.nowUs() });
    return findVolume(tables, caller, volume.id);
  });
}
