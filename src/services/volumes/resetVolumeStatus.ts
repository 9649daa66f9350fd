import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Volume, VolumeStatus } from "#model/resource.ts";

const states: readonly VolumeStatus[] = ["available", "in-use", "error", "error_restoring", "error_deleting"];

/** Sets a volume's status by hand, for an administrator, whatever it was. A volume that a task is working on is left alone. */
export async function resetVolumeStatus(context: Context, caller: Caller, input: { volumeId: Id; status: string }): Promise<Volume> {
  const status = states.find((state) => state === input.status);
  if (status === undefined) throw new DomainError("invalidRequest", `status: must be one of ${states.join(", ")}`, { field: "status" });
  return context.catalog.transaction(async (tables) => {
    const volume = await tables.resources.getVolume(caller.projectId, input.volumeId);
    if (volume === undefined) throw new DomainError("volumeNotFound", `no volume ${input.volumeId}`);
    const open = await tables.tasks.openTasks({ resourceId: volume.id });
    if (open.length > 0) throw new DomainError("conflict", `volume ${volume.id} is being worked on by task ${open[0]?.id}`);
    const updatedAt = context.clock.nowUs();
    await tables.resources.update(volume.id, { status, updatedAt });
    return { ...volume, status, updatedAt };
  });
}
