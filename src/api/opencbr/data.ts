import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { naiveUtcOrNull } from "#model/timestamps.ts";
import { readBackupRange } from "#services/backups/readBackupRange.ts";
import { showBackup } from "#services/backups/showBackup.ts";
import type { Context } from "#services/context.ts";
import { listVolumeExtents } from "#services/volumes/listVolumeExtents.ts";
import { readVolumeRange } from "#services/volumes/readVolumeRange.ts";
import { writeVolumeRange } from "#services/volumes/writeVolumeRange.ts";
import { backupIdOf } from "../cbr/backups.ts";
import { paramsSchema } from "../cbr/schemas.ts";
import { type Answer, defineRoute, type Request } from "../http/route.ts";
import { maxReadBytes, maxWriteBytes, readContentRange, readRange } from "./ranges.ts";

const volumeParams = paramsSchema("project_id", "volume_id");
const backupParams = paramsSchema("project_id", "backup_id");

function volumeIdOf(params: Readonly<Record<string, string>>): string {
  const id = params["volume_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("volumeNotFound", `no volume ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const binary = { "content-type": "application/octet-stream", "accept-ranges": "bytes" };

/** Reads a range; at or after the end it gives no bytes, and always the true size. */
type Reader = (offset: number, length: number) => Promise<{ bytes: Uint8Array; sizeBytes: number }>;

function header(request: Request<unknown>, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/**
 * Answers a read of a disk's bytes. At most 8 MiB come back at a time: a longer range, or a request without one, is answered with its beginning
 * as 206 and its true `Content-Range`, and the client asks on. Only a disk that is short enough comes whole, as 200.
 */
async function answerRead(request: Request<unknown>, read: Reader): Promise<Answer> {
  const { sizeBytes } = await read(0, 0);
  const range = readRange(header(request, "range"), sizeBytes);
  if (range === undefined && sizeBytes <= maxReadBytes) return { status: 200, headers: binary, body: (await read(0, sizeBytes)).bytes };
  const { offset, length } = range ?? { offset: 0, length: sizeBytes };
  const { bytes } = await read(offset, Math.min(length, maxReadBytes));
  return { status: 206, headers: { ...binary, "content-range": `bytes ${offset}-${offset + bytes.length - 1}/${sizeBytes}` }, body: bytes };
}

async function answerHead(read: Reader): Promise<Answer> {
  const { sizeBytes } = await read(0, 0);
  return { status: 200, headers: { ...binary, "content-length": String(sizeBytes) } };
}

function volumeReader(request: Request<unknown>, caller: Caller, context: Context): Reader {
  const volumeId = volumeIdOf(request.params);
  return (offset, length) => readVolumeRange(context, caller, { volumeId, offset, length });
}

function backupReader(request: Request<unknown>, caller: Caller, context: Context): Reader {
  const backupId = backupIdOf(request.params);
  return (offset, length) => readBackupRange(context, caller, { backupId, offset, length });
}

/** Bytes of disks and of backups over HTTP ranges; what a run measured. */
export const dataRoutes = [
  defineRoute({
    method: "GET",
    path: "/volumes/:volume_id/data",
    operation: "ReadVolumeData",
    action: "opencbr:volumes:readData",
    successStatus: 206,
    schema: { params: volumeParams },
    handler: (request, caller, context) => answerRead(request, volumeReader(request, caller, context)),
  }),
  defineRoute({
    method: "HEAD",
    path: "/volumes/:volume_id/data",
    operation: "HeadVolumeData",
    action: "opencbr:volumes:readData",
    successStatus: 200,
    schema: { params: volumeParams },
    handler: (request, caller, context) => answerHead(volumeReader(request, caller, context)),
  }),
  defineRoute({
    method: "PUT",
    path: "/volumes/:volume_id/data",
    operation: "WriteVolumeData",
    action: "opencbr:volumes:write",
    successStatus: 204,
    bodyLimitBytes: maxWriteBytes,
    auditedInPieces: true,
    schema: { params: volumeParams },
    async handler(request, caller, context) {
      const volumeId = volumeIdOf(request.params);
      if ((header(request, "content-type") ?? "").split(";")[0]?.trim().toLowerCase() !== "application/octet-stream") {
        throw new DomainError("invalidRequest", "Content-Type: must be application/octet-stream", { field: "Content-Type" });
      }
      const { offset } = readContentRange(header(request, "content-range"), request.raw.length);
      await writeVolumeRange(context, caller, { volumeId, offset, bytes: request.raw });
      return {};
    },
  }),
  defineRoute({
    method: "GET",
    path: "/volumes/:volume_id/extents",
    operation: "ListVolumeExtents",
    action: "opencbr:volumes:get",
    successStatus: 200,
    schema: { params: volumeParams },
    async handler(request, caller, context) {
      const { sizeBytes, extents } = await listVolumeExtents(context, caller, { volumeId: volumeIdOf(request.params) });
      return { body: { size_bytes: sizeBytes, extents: extents.map(({ offset, length }) => ({ offset, length })) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/data",
    operation: "ReadBackupData",
    action: "opencbr:backups:readData",
    successStatus: 206,
    schema: { params: backupParams },
    handler: (request, caller, context) => answerRead(request, backupReader(request, caller, context)),
  }),
  defineRoute({
    method: "HEAD",
    path: "/backups/:backup_id/data",
    operation: "HeadBackupData",
    action: "opencbr:backups:readData",
    successStatus: 200,
    schema: { params: backupParams },
    handler: (request, caller, context) => answerHead(backupReader(request, caller, context)),
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/stats",
    operation: "ShowBackupStatistics",
    action: "opencbr:backups:get",
    successStatus: 200,
    schema: { params: backupParams },
    async handler(request, caller, context) {
      const { backup, chainStoredBytes } = await showBackup(context, caller, { backupId: backupIdOf(request.params) });
      const { statistics } = backup;
      return {
        body: {
          backup_id: backup.id,
          status: backup.status,
          incremental: backup.incremental,
          base_id: backup.baseId,
          chain_id: backup.chainId,
          chain_stored_bytes: chainStoredBytes,
          root_key: backup.rootKey,
          protected_at: naiveUtcOrNull(backup.protectedAt),
          statistics:
            statistics === null
              ? null
              : {
                  read_bytes: statistics.readBytes,
                  data_bytes: statistics.dataBytes,
                  new_bytes: statistics.newBytes,
                  stored_bytes: statistics.storedBytes,
                  unchanged_bytes: statistics.unchangedBytes,
                  deduplicated_bytes: statistics.deduplicatedBytes,
                  new_chunks: statistics.newChunks,
                  object_count: statistics.objectCount,
                  compressed: statistics.compressed,
                  duration_ms: statistics.durationMs,
                },
        },
      };
    },
  }),
];
