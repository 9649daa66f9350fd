import type { BackupView } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { checkLooseDescription, checkLooseName, checkMetadata } from "../support/checks.ts";
import { findBackup, findBackupView } from "../support/find.ts";

export interface UpdateVolumeBackupInput {
  backupId: Id;
  /** null takes the name away. */
  name?: string | null;
  description?: string | null;
  /** Replaces what was there. */
  metadata?: Record<string, string>;
}

/** Changes what people say of a backup, as Block Storage lets them. @throws DomainError `backupNotFound`, `invalidRequest` */
export async function updateVolumeBackup(context: Context, caller: Caller, input: UpdateVolumeBackupInput): Promise<BackupView> {
  const { name, description, metadata } = input;
  if (name === undefined && description === undefined && metadata === undefined)
    throw new DomainError("invalidRequest", "backup: nothing is to be changed", { field: "backup" });
  const patch = {
    ...(name === undefined ? {} : { name: name === null ? null : checkLooseName(name, "backup.name") }),
    ...(description === undefined ? {} : { description: checkLooseDescription(description, "backup.description") }),
    ...(metadata === undefined ? {} : { metadata: checkMetadata(metadata, "backup.metadata") }),
  };
  return context.catalog.transaction(async (tables) => {
    const { id, projectId } = await findBackup(tables, caller, input.backupId);
    await tables.backups.amend(projectId, id, { ...patch, updatedAt: context.clock.nowUs() });
    return findBackupView(tables, caller, id);
  });
}
