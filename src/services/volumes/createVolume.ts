import { rm } from "node:fs/promises";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Locator, Volume, VolumeEncryption } from "#model/resource.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBind } from "../support/auto-bind.ts";
import { inBackground } from "../support/background.ts";
import { checkLooseDescription, checkLooseName, checkMetadata, checkWholeNumber, checkZone, gibBytes, maxVolumeGib } from "../support/checks.ts";
import { findSnapshot, findVolume } from "../support/find.ts";
import { holdForCopy } from "../support/holds.ts";
import { localPath, pathOf } from "../support/paths.ts";
import { insertRestore, refuseUnlessRestorable } from "../support/restore-rows.ts";
import { findReadableBackup } from "../support/shares.ts";
import { checkTags, maxResourceTags } from "../support/tags.ts";
import { cloneFile, createSparse, duplicate } from "../support/volume-files.ts";
import { checkEncryption, defaultVolumeType } from "../support/volume-rows.ts";

export interface CreateVolumeInput {
  /** Required unless a source tells it. */
  sizeGib?: number;
  name?: string | null;
  description?: string | null;
  volumeType?: string;
  availabilityZone?: string;
  metadata?: Record<string, string>;
  bootable?: boolean;
  encryption?: VolumeEncryption | null;
  tags?: Tag[];
  snapshotId?: Id;
  sourceVolumeId?: Id;
  backupId?: Id;
  /** With `backupId`: all that can be read of a damaged backup, zeros elsewhere; the task tells the ranges. Default: refuse. */
  allowHoles?: boolean;
}

/** What a new volume takes from what it is made of. */
interface Origin {
  sizeGib: number | undefined;
  inherited: Partial<Pick<Volume, "volumeType" | "bootable" | "encryption" | "metadata">>;
  /** The bytes to copy, and who must not change meanwhile. */
  copy?: { holdId: Id; locator: Locator };
}

/**
 * A new volume of ours: empty, or with the bytes of a snapshot, volume or backup. An empty one is `available` when this returns;
 * the others are `creating` until their bytes are there.
 * @throws DomainError `invalidRequest`, `snapshotNotFound`, `volumeNotFound`, `backupNotFound`, `snapshotStatusWrong`,
 * `volumeStatusForbids`, `backupNotRestorable`, `storageFull`
 */
export async function createVolume(context: Context, caller: Caller, input: CreateVolumeInput): Promise<Volume> {
  if ([input.snapshotId, input.sourceVolumeId, input.backupId].filter((id) => id !== undefined).length > 1) {
    throw new DomainError("invalidRequest", "source: a volume is made from a snapshot, a volume or a backup, not from several");
  }
  if (input.allowHoles === true && input.backupId === undefined)
    throw new DomainError("invalidRequest", "allow_holes: only what is restored from a backup can have holes", { field: "allow_holes" });
  const checked = checkInput(context, input);
  const origin = await originOf(context, caller, input);
  const sizeGib = input.sizeGib ?? origin.sizeGib;
  if (sizeGib === undefined) throw new DomainError("invalidRequest", "size: is required", { field: "size" });
  checkWholeNumber(sizeGib, "size", 1, maxVolumeGib);
  if (sizeGib < (origin.sizeGib ?? 0)) {
    throw new DomainError("invalidRequest", `size: must be at least the ${origin.sizeGib} GiB of what the volume is made from`, { field: "size" });
  }
  const id = context.random.uuid();
  const volume: Volume = {
    id,
    projectId: caller.projectId,
    userId: caller.userId,
    type: "OS::Cinder::Volume",
    status: "creating",
    locator: `local:${id}`,
    sizeGib,
    ...checked.own,
    volumeType: checked.volumeType ?? origin.inherited.volumeType ?? defaultVolumeType,
    bootable: input.bootable ?? origin.inherited.bootable ?? false,
    encryption: checked.encryption ?? origin.inherited.encryption ?? null,
    metadata: { ...origin.inherited.metadata, ...checked.metadata },
    sourceSnapshotId: input.snapshotId ?? null,
    sourceVolumeId: input.sourceVolumeId ?? null,
    sourceBackupId: input.backupId ?? null,
    createdAt: context.clock.nowUs(),
    updatedAt: null,
  };
  if (input.backupId !== undefined) return fromBackup(context, caller, input.backupId, volume, input.allowHoles ?? false);
  return origin.copy === undefined ? createEmpty(context, volume) : startCopy(context, volume, origin.copy);
}

function checkInput(context: Context, input: CreateVolumeInput) {
  return {
    own: {
      name: checkLooseName(input.name ?? "", "name"),
      description: checkLooseDescription(input.description, "description"),
      tags: checkTags(input.tags ?? [], "tags", maxResourceTags),
      availabilityZone: checkZone(input.availabilityZone ?? context.settings.zone, "availability_zone"),
    },
    volumeType: input.volumeType === undefined ? undefined : checkLooseName(input.volumeType, "volume_type"),
    metadata: checkMetadata(input.metadata, "metadata"),
    encryption: checkEncryption(input.encryption ?? null),
  };
}

async function originOf(context: Context, caller: Caller, input: CreateVolumeInput): Promise<Origin> {
  const { catalog } = context;
  if (input.snapshotId !== undefined) {
    const snapshot = await findSnapshot(catalog, caller, input.snapshotId);
    if (snapshot.status !== "available")
      throw new DomainError("snapshotStatusWrong", `Snapshot ${snapshot.id} is ${snapshot.status}, not available.`);
    const of = await catalog.resources.getVolume(caller.projectId, snapshot.volumeId);
    return {
      sizeGib: snapshot.sizeGib,
      inherited: of === undefined ? {} : inheritedFrom(of),
      copy: { holdId: snapshot.id, locator: snapshot.locator },
    };
  }
  if (input.sourceVolumeId !== undefined) {
    const source = await findVolume(catalog, caller, input.sourceVolumeId);
    if (source.status !== "available" && source.status !== "in-use") {
      throw new DomainError("volumeStatusForbids", `Volume ${source.id} is ${source.status}; copying needs it available or in-use.`);
    }
    return { sizeGib: source.sizeGib, inherited: inheritedFrom(source), copy: { holdId: source.id, locator: source.locator } };
  }
  if (input.backupId !== undefined) {
    const { backup, share } = await findReadableBackup(catalog, caller, input.backupId);
    if (backup.resourceType !== "OS::Cinder::Volume")
      throw new DomainError("backupNotRestorable", "A server backup has no bytes of its own: name one of the disk backups inside it.");
    return {
      sizeGib: backup.resourceSizeGib,
      inherited: {
        ...(backup.volumeType === null ? {} : { volumeType: backup.volumeType }),
        bootable: backup.bootable ?? false,
        encryption: backup.encryption,
        metadata: share === null ? backup.volumeMetadata : {},
      },
    };
  }
  return { sizeGib: undefined, inherited: {} };
}

const inheritedFrom = (volume: Volume): Origin["inherited"] => ({
  volumeType: volume.volumeType,
  bootable: volume.bootable,
  encryption: volume.encryption,
});

/** A volume that has its bytes; a vault may bind it from now on. */
async function makeAvailable(context: Context, volume: Volume, patch: { updatedAt?: number }): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    await tables.resources.update(volume.id, { ...patch, status: "available" });
    const now = await tables.resources.getVolume(volume.projectId, volume.id);
    if (now !== undefined) await autoBind(context, tables, now);
  });
}

async function createEmpty(context: Context, volume: Volume): Promise<Volume> {
  await context.catalog.resources.insert(volume);
  try {
    await createSparse(localPath(context.settings, volume.id), volume.sizeGib * gibBytes);
  } catch (error) {
    await context.catalog.resources.remove(volume.id);
    throw error;
  }
  await makeAvailable(context, volume, {});
  return { ...volume, status: "available" };
}

async function startCopy(context: Context, volume: Volume, copy: { holdId: Id; locator: Locator }): Promise<Volume> {
  const from = await pathOf(context.settings, copy.locator);
  const release = holdForCopy(context, copy.holdId);
  try {
    await context.catalog.resources.insert(volume);
  } catch (error) {
    release();
    throw error;
  }
  inBackground(context, "volume copy", async () => {
    const path = localPath(context.settings, volume.id);
    try {
      await duplicate(context.clone ?? cloneFile, from, path, volume.sizeGib * gibBytes);
      await makeAvailable(context, volume, { updatedAt: context.clock.nowUs() });
    } catch (error) {
      context.log.error({ err: error, volumeId: volume.id }, "a volume could not be made from its source");
      await rm(path, { force: true });
      await context.catalog.resources.update(volume.id, { status: "error", updatedAt: context.clock.nowUs() });
    } finally {
      release();
    }
  });
  return volume;
}

async function fromBackup(context: Context, caller: Caller, backupId: Id, volume: Volume, allowHoles: boolean): Promise<Volume> {
  await context.catalog.transaction(async (tables) => {
    const from = await findReadableBackup(tables, caller, backupId);
    await refuseUnlessRestorable(tables, from);
    await tables.resources.insert(volume);
    await insertRestore(context, tables, caller, from, {
      targets: [{ backupId, volumeId: volume.id, previousStatus: null }],
      targetResourceId: volume.id,
      targetResourceName: volume.name,
      allowHoles,
    });
  });
  context.wake();
  return volume;
}
