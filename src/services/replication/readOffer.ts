import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { OfferPart } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { audienceOf } from "./peers.ts";

/**
 * A part of a backup for the region that it is being copied to: nobody else, no other backup, and not longer than that takes.
 * @throws DomainError `backupNotFound`
 */
export async function readOffer(context: Context, region: string, asked: { recordId: Id; backupId: Id; part: OfferPart }): Promise<Uint8Array> {
  const { recordId, backupId, part } = asked;
  const { catalog, engine, settings } = context;
  const record = await catalog.replications.get(recordId);
  const isOpen =
    record !== undefined &&
    !replicationIsOver(record.status) &&
    record.sourceRegion === settings.region &&
    record.destinationRegion === region &&
    region !== settings.region;
  const backup = isOpen ? await catalog.backups.get(record.sourceProjectId, backupId) : undefined;
  if (!isOpen || backup === undefined || (backup.parentId ?? backup.id) !== record.sourceBackupId)
    throw new DomainError("backupNotFound", `Backup ${backupId} is not being copied to ${region}.`);
  return engine.readOffer({ tenant: backup.projectId, backupId, audience: audienceOf(region, record.destinationProjectId), part });
}
