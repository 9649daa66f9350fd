import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Snapshot } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { inBackground } from "../support/background.ts";
import { checkLooseDescription, checkLooseName, checkMetadata } from "../support/checks.ts";
import { findVolume } from "../support/find.ts";
import { holdForCopy } from "../support/holds.ts";
import { localPath, pathOf } from "../support/paths.ts";
import { cloneFile, duplicate, fileSize } from "../support/volume-files.ts";

export interface CreateSnapshotInput {
  volumeId: Id;
  name?: string | null;
  description?: string | null;
  metadata?: Record<string, string>;
  /** Allow the snapshot of an attached (in-use) volume. */
  force?: boolean;
}

/**
 * Freezes the bytes of a volume: by shared blocks where the file system can, else by a copy during which the volume may not be written.
 * The answer is `creating`; the rest happens in the background.
 * @throws DomainError `volumeNotFound`, `volumeStatusForbids`, `sourceUnavailable`, `invalidRequest`
 */
export async function createSnapshot(context: Context, caller: Caller, input: CreateSnapshotInput): Promise<Snapshot> {
  const name = input.name === undefined || input.name === null ? null : checkLooseName(input.name, "name");
  const description = checkLooseDescription(input.description, "description");
  const metadata = checkMetadata(input.metadata, "metadata");
  const volume = await findVolume(context.catalog, caller, input.volumeId);
  const allowed = input.force === true ? ["available", "in-use"] : ["available"];
  if (!allowed.includes(volume.status)) {
    throw new DomainError("volumeStatusForbids", `Volume ${volume.id} is ${volume.status}; a snapshot needs it ${allowed.join(" or ")}.`);
  }
  const from = await pathOf(context.settings, volume.locator);
  const release = holdForCopy(context, volume.id);
  const now = context.clock.nowUs();
  const id = context.random.uuid();
  const snapshot: Snapshot = {
    id,
    projectId: caller.projectId,
    userId: caller.userId,
    volumeId: volume.id,
    name,
    description,
    status: "creating",
    sizeGib: volume.sizeGib,
    metadata,
    locator: `local:${id}`,
    method: "copy",
    createdAt: now,
    updatedAt: null,
  };
  try {
    await context.catalog.snapshots.insert(snapshot);
  } catch (error) {
    release();
    throw error;
  }
  inBackground(context, "snapshot", async () => {
    try {
      const method = await duplicate(context.clone ?? cloneFile, from, localPath(context.settings, id), fileSize(from));
      await context.catalog.snapshots.update(id, { status: "available", method, updatedAt: context.clock.nowUs() });
    } catch (error) {
      context.log.error({ err: error, snapshotId: id, volumeId: volume.id }, "a snapshot could not be made");
      await context.catalog.snapshots.update(id, { status: "error", updatedAt: context.clock.nowUs() });
    } finally {
      release();
    }
  });
  return snapshot;
}
