import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { replicationIsOver } from "#model/replication.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import type { Context } from "../context.ts";
import { checkWholeNumber } from "../support/checks.ts";
import { topLevelBackups } from "../support/doom.ts";
import { findVault } from "../support/find.ts";
import { copiesThere, insertCopying } from "./copyBackup.ts";
import type { Destination } from "./copyBackup.ts";

export interface ReplicateVaultInput extends Destination {
  vaultId: Id;
  /** Started by a policy. */
  autoTrigger?: boolean;
  policyId?: Id | null;
  /** Days that the copies are kept; absent = until deleted. */
  retentionDays?: number | null;
}

/** Backups that a destination is asked about at a time. */
const askedAtOnce = 1000;

/**
 * Queues the copying of every available backup of a vault that has no copy at the destination (CBR's CopyCheckpoint). What came from there is not
 * sent back; a policy leaves out what was copied there before, too.
 * @throws DomainError `vaultNotFound`, `vaultBeingReplicated`, `nothingToReplicate`, `vaultTypeNotReplicable`, `regionNotReachable`,
 * `destinationUnreachable`, and what `examineDestination` says of the destination
 */
export async function replicateVault(
  context: Context,
  caller: Pick<Caller, "projectId" | "userId" | "isBound" | "requestId">,
  input: ReplicateVaultInput,
): Promise<ReplicationRecord[]> {
  if (input.retentionDays) checkWholeNumber(input.retentionDays, "retention_duration_days", 1, 99_999);
  const vault = await findVault(context.catalog, caller, input.vaultId);
  const candidates = (await topLevelBackups(context.catalog, caller.projectId, vault.id)).filter(({ status }) => status === "available");
  const copied = await copiesThere(context, caller, vault, input, []);
  for (let at = 0; at < candidates.length; at += askedAtOnce) {
    const ids = candidates.slice(at, at + askedAtOnce).map(({ id }) => id);
    for (const id of await copiesThere(context, caller, vault, input, ids)) copied.add(id);
  }
  const records = await context.catalog.transaction(async (tables) => {
    const open = await tables.replications.openOfVault(vault.id);
    if (open.some((record) => record.sourceVaultId === vault.id && isTo(record, input)))
      throw new DomainError("vaultBeingReplicated", `Vault ${vault.id} is being copied to ${input.destinationRegion}.`);
    const made: ReplicationRecord[] = [];
    // Oldest first, so that each next one moves only its change.
    for (const { id } of candidates.toReversed()) {
      const backup = copied.has(id) ? undefined : await tables.backups.get(caller.projectId, id);
      if (backup?.status !== "available") continue;
      const known = await tables.replications.ofBackup(id);
      // A policy copies a backup once: a copy that retention let go is not made again.
      if (input.autoTrigger && known.some((record) => record.sourceBackupId === id && isTo(record, input) && record.status === "success")) continue;
      if (known.some((record) => record.destinationBackupId === id && isFrom(record, input) && replicationIsOver(record.status))) continue;
      const { autoTrigger = false, policyId = null, retentionDays = null } = input;
      made.push(await insertCopying(context, tables, { caller, vault, backup, destination: input, autoTrigger, policyId, retentionDays }));
    }
    if (made.length === 0)
      throw new DomainError("nothingToReplicate", `Vault ${vault.id} has no available backup that is not in ${input.destinationRegion} already.`);
    return made;
  });
  context.wake();
  return records;
}

const isTo = (record: ReplicationRecord, to: Destination): boolean =>
  record.destinationRegion === to.destinationRegion && record.destinationVaultId === to.destinationVaultId;
const isFrom = (record: ReplicationRecord, to: Destination): boolean =>
  record.sourceRegion === to.destinationRegion &&
  record.sourceProjectId === to.destinationProjectId &&
  record.sourceVaultId !== record.destinationVaultId;
