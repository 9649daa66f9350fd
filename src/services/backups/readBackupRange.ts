import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { invariant } from "#platform/invariant.ts";
import type { Engine } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber } from "../support/checks.ts";
import { findBackup } from "../support/find.ts";

/** Most bytes that one read may ask for. */
export const maxReadBytes = 8 * 1024 * 1024;

/** Image sizes by root, so that a reader in small pieces opens the root object once. A root never changes. */
const sizes = new WeakMap<Engine, Map<string, number>>();
const keptSizes = 1000;

async function imageSize(engine: Engine, tenant: string, backupId: Id): Promise<number> {
  const known = sizes.get(engine) ?? new Map<string, number>();
  sizes.set(engine, known);
  const hit = known.get(backupId);
  if (hit !== undefined) return hit;
  const root = await engine.readRoot(tenant, backupId);
  invariant(root !== undefined, "an available backup has a root object");
  if (known.size >= keptSizes) known.delete(known.keys().next().value!);
  known.set(backupId, root.sizeBytes);
  return root.sizeBytes;
}

/**
 * Bytes of a disk backup, straight from the store. A range that begins at or after the end gives no bytes; one that crosses it is cut.
 * @throws DomainError `backupNotFound`, `backupNotRestorable` (not available, or a server backup), `invalidRequest`
 */
export async function readBackupRange(
  context: Context,
  caller: Caller,
  input: { backupId: Id; offset: number; length: number },
): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
  const backup = await findBackup(context.catalog, caller, input.backupId);
  if (backup.resourceType !== "OS::Cinder::Volume") {
    throw new DomainError("backupNotRestorable", "A server backup has no bytes of its own: read the disk backups inside it.");
  }
  if (!["available", "waiting_restore", "restoring"].includes(backup.status) || backup.rootKey === null) {
    throw new DomainError("backupNotRestorable", `Backup ${backup.id} is ${backup.status}; only an available one can be read.`);
  }
  const offset = checkWholeNumber(input.offset, "offset", 0, Number.MAX_SAFE_INTEGER);
  const wanted = checkWholeNumber(input.length, "length", 0, maxReadBytes);
  const sizeBytes = await imageSize(context.engine, backup.projectId, backup.id);
  const length = Math.max(0, Math.min(wanted, sizeBytes - offset));
  if (length === 0) return { bytes: new Uint8Array(0), sizeBytes };
  return { bytes: await context.engine.readRange({ tenant: backup.projectId, backupId: backup.id, offset, length }), sizeBytes };
}
