import type { AppliedPolicy, Tables } from "#catalog/tables.ts";
import { DomainError, errorKinds } from "#model/errors.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import { isSet, scheduleOf } from "#model/policy.ts";
import type { Policy } from "#model/policy.ts";
import { providerIds } from "#model/provider.ts";
import { nextRun } from "#model/schedule.ts";
import type { Vault } from "#model/vault.ts";
import { queueCheckpoint } from "../checkpoints/createCheckpoint.ts";
import type { Context } from "../context.ts";
import { replicateVault } from "../replication/replicateVault.ts";
import { destinationOf } from "../support/apply-policy.ts";
import { dayUs } from "../support/backup-rows.ts";
import type { Run } from "../support/backup-rows.ts";
import { insertEndedTask } from "../support/ended-task.ts";

/** Most vaults that are looked at in one go: the rest has its turn at the next tick. */
const atOnce = 500;

/** Runs are an hour apart at least and begin some seconds late, so that a day later is not quite a day later. */
const almostDayUs = dayUs - 3600 * 1_000_000;

/**
 * Runs every policy whose time has come, once, however many of its times have passed. When it runs next is written in the transaction that queues
 * the run, so that of several processes only one does. What cannot run leaves a task that says why. Tells how many vaults had their turn.
 */
export async function queueDuePolicyRuns(context: Context): Promise<number> {
  const due = await context.catalog.policies.due(context.clock.nowUs(), atOnce);
  let turns = 0;
  for (const applied of due) {
    // The database answers at once: without this nothing else would have its turn before the last vault.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      if (await runOne(context, applied)) turns++;
    } catch (error) {
      const { policyId, vaultId } = applied.application;
      context.log.error({ err: error, policyId, vaultId }, "a policy could not run; it is tried again");
    }
  }
  return turns;
}

async function runOne(context: Context, applied: AppliedPolicy): Promise<boolean> {
  const { application, policy } = applied;
  const caller = { projectId: policy.projectId, userId: policy.userId, requestId: `req-${context.random.uuid()}` };
  const next = nextRun(context.clock.nowUs(), scheduleOf(policy));
  try {
    if (policy.operationType === "replication") return await replicate(context, applied, caller, next);
    return await context.catalog.transaction(async (tables) => {
      if (!(await tables.policies.advance(application, next))) return false;
      await queueBackups(context, tables, caller, policy, application.vaultId);
      return true;
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return context.catalog.transaction(async (tables) => {
      const isOurs = policy.operationType === "replication" || (await tables.policies.advance(application, next));
      const vault = isOurs ? await tables.vaults.get(policy.projectId, application.vaultId) : undefined;
      if (vault !== undefined) await leaveVault(context, tables, caller, policy, vault, error);
      return isOurs;
    });
  }
}

/** The destination may be another service, so that this is not one transaction: a crash in between leaves the copies to the next run. */
async function replicate(context: Context, { application, policy }: AppliedPolicy, caller: Run["caller"], next: TimestampUs): Promise<boolean> {
  const { vaultId, destinationVaultId } = application;
  if (!(await context.catalog.policies.advance(application, next))) return false;
  const { retentionDurationDays } = policy.definition;
  await replicateVault(context, caller, {
    ...destinationOf(context, policy, destinationVaultId!),
    vaultId,
    autoTrigger: true,
    policyId: policy.id,
    retentionDays: isSet(retentionDurationDays) ? retentionDurationDays : null,
  });
  return true;
}

async function queueBackups(context: Context, tables: Tables, caller: Run["caller"], policy: Policy, vaultId: Id): Promise<void> {
  const { retentionDurationDays } = policy.definition;
  await queueCheckpoint(context, tables, caller, {
    vaultId,
    autoTrigger: true,
    policyId: policy.id,
    fullResourceIds: await dueForFull(context, tables, policy, vaultId),
    ...(isSet(retentionDurationDays) ? { retentionDays: retentionDurationDays } : {}),
  });
}

/** Resources of the vault that have had their number of incremental backups since the last full one, which was a day ago at least. */
async function dueForFull(context: Context, tables: Tables, policy: Policy, vaultId: Id): Promise<Set<Id>> {
  const interval = policy.definition.fullBackupInterval;
  const found = new Set<Id>();
  if (interval === null || interval < 0) return found;
  for (const { resourceId } of await tables.vaults.resourcesOf(vaultId)) {
    const since = await tables.policies.sinceFull(vaultId, resourceId);
    if (since !== undefined && since.incrementals >= interval && context.clock.nowUs() - since.fullAt > almostDayUs) found.add(resourceId);
  }
  return found;
}

/** Reasons that pass by themselves: the run is left out, and nothing has failed. */
const passing: readonly string[] = ["vaultBusy", "nothingToBackUp", "vaultBeingReplicated", "nothingToReplicate"];

/** The whole run could not be queued. */
async function leaveVault(context: Context, tables: Tables, caller: Run["caller"], policy: Policy, vault: Vault, reason: DomainError): Promise<void> {
  const status = passing.includes(reason.code) ? "skipped" : "failed";
  context.log.warn({ policyId: policy.id, vaultId: vault.id, status, reason: reason.message }, "a policy did not run");
  await insertEndedTask(context, tables, {
    projectId: policy.projectId,
    type: policy.operationType,
    status,
    policyId: policy.id,
    requestId: caller.requestId,
    vaultId: vault.id,
    vaultName: vault.name,
    providerId: providerIds[vault.objectType],
    errorCode: errorKinds[reason.code].cbr,
    errorMessage: reason.message,
  });
}
