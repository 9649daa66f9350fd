import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Volume, VolumeEncryption } from "#model/resource.ts";
import type { Tag } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBind } from "../support/auto-bind.ts";
import { checkLooseDescription, checkLooseName, checkMetadata, checkZone, gibBytes } from "../support/checks.ts";
import { permittedPath } from "../support/paths.ts";
import { checkTags, maxResourceTags } from "../support/tags.ts";
import { checkEncryption, defaultVolumeType } from "../support/volume-rows.ts";

export interface AddFileVolumeInput {
  name: string;
  /** Absolute path of a raw image, below one of the configured roots. */
  path: string;
  description?: string | null;
  volumeType?: string;
  availabilityZone?: string;
  bootable?: boolean;
  encryption?: VolumeEncryption | null;
  metadata?: Record<string, string>;
  tags?: Tag[];
}

/**
 * Registers a file of the operator's as a volume. Its size in GiB is rounded up; the file stays as long as it is.
 * @throws DomainError `invalidRequest`, `sourceNotPermitted`, `sourceUnavailable`
 */
export async function addFileVolume(context: Context, caller: Caller, input: AddFileVolumeInput): Promise<Volume> {
  const name = checkLooseName(input.name, "name");
  const description = checkLooseDescription(input.description, "description");
  const metadata = checkMetadata(input.metadata, "metadata");
  const volumeType = checkLooseName(input.volumeType ?? defaultVolumeType, "volumeType");
  const availabilityZone = checkZone(input.availabilityZone ?? context.settings.zone, "availabilityZone");
  const encryption = checkEncryption(input.encryption ?? null);
  const tags = checkTags(input.tags ?? [], "tags", maxResourceTags);
  const path = await permittedPath(context.settings, input.path);
  const sizeBytes = await readableFileSize(path);
  const volume: Volume = {
    id: context.random.uuid(),
    projectId: caller.projectId,
    userId: caller.userId,
    name,
    description,
    type: "OS::Cinder::Volume",
    status: "available",
    locator: `file:${path}`,
    sizeGib: Math.max(1, Math.ceil(sizeBytes / gibBytes)),
    availabilityZone,
    volumeType,
    bootable: input.bootable ?? false,
    encryption,
    metadata,
    tags,
    sourceSnapshotId: null,
    sourceVolumeId: null,
    sourceBackupId: null,
    createdAt: context.clock.nowUs(),
    updatedAt: null,
  };
  await context.catalog.transaction(async (tables) => {
    await tables.resources.insert(volume);
    await autoBind(context, tables, volume);
  });
  return volume;
}

async function readableFileSize(path: string): Promise<number> {
  try {
    await access(path, constants.R_OK);
    const stats = await stat(path);
    if (stats.isFile()) return stats.size;
  } catch (error) {
    throw new DomainError("sourceUnavailable", "path: the file cannot be read", { field: "path", cause: error });
  }
  throw new DomainError("sourceUnavailable", "path: is not a regular file", { field: "path" });
}
