import type { AppliedPolicy, Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { expire, expireFailed } from "#model/retention.ts";
import type { Retained } from "#model/retention.ts";
import { queueDeletion } from "../backups/deleteBackup.ts";
import type { Context } from "../context.ts";
import { destinationOf } from "../support/apply-policy.ts";
import { dayUs } from "../support/backup-rows.ts";

const atOnce = 100;
const lastFailedKey = "failedBackupsExpiredAtUs";

/**
 * Queues the deletion of what retention lets go, in the hours that are set for it: backups whose time is over; where a backup has ended since, what
 * a policy's numbers leave; and failed automatic backups. What cannot go now, such as one that is being restored, is asked about again. Tells how
 * many were queued.
 */
export async function queueExpired(context: Context): Promise<number> {
  if (!isOpen(context)) return 0;
  let queued = 0;
  for (const { projectId, id } of await context.catalog.backups.expired(context.clock.nowUs(), atOnce)) {
    if ((await deleteOne(context, projectId, id, null)) === "queued") queued++;
  }
  for (const applied of await context.catalog.policies.toExpire(true)) queued += await expireVault(context, applied);
  return queued + (await expireOldFailures(context));
}

/** Whether it is a time of day at which backups may expire. */
function isOpen({ clock, settings }: Context): boolean {
  const hours = settings.expiryHours;
  if (hours === undefined) return true;
  const minute = Math.floor(clock.nowUs() / 60_000_000) % 1440;
  const { from, to } = hours;
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}

async function expireVault(context: Context, applied: AppliedPolicy): Promise<number> {
  const { catalog } = context;
  const { application, policy } = applied;
  // Cleared before the look: a backup that ends meanwhile asks for another one.
  await catalog.policies.clearExpiry(application);
  const { projectId, retained } = await governed(context, applied);
  const fates = [];
  for (const id of [...expire(retained, policy.definition), ...expireFailed(retained, context.clock.nowUs())]) {
    fates.push(await deleteOne(context, projectId, id, applied));
  }
  if (fates.includes("later")) await catalog.policies.requestExpiry(application.destinationVaultId ?? application.vaultId);
  return fates.filter((fate) => fate === "queued").length;
}

/** What a policy decides upon: the automatic backups of its vault, or the copies of them. Copies in another region only have their time. */
async function governed(context: Context, { application, policy }: AppliedPolicy): Promise<{ projectId: ProjectId; retained: Retained[] }> {
  const { vaultId, destinationVaultId } = application;
  const { policies } = context.catalog;
  if (destinationVaultId === null) return { projectId: policy.projectId, retained: await policies.retained(vaultId) };
  const { destinationRegion, destinationProjectId } = destinationOf(context, policy, destinationVaultId);
  const isHere = destinationRegion === context.settings.region;
  return { projectId: destinationProjectId, retained: isHere ? await policies.retained(destinationVaultId, vaultId) : [] };
}

/** Once a day: failed automatic backups are kept for a month, also where none follows. */
async function expireOldFailures(context: Context): Promise<number> {
  const { catalog, clock } = context;
  const now = clock.nowUs();
  const last = Number((await catalog.meta.get(lastFailedKey)) ?? 0);
  // A last time in the future comes from a clock that has been put back.
  if (last <= now && now - last < dayUs) return 0;
  await catalog.meta.set(lastFailedKey, String(now));
  let queued = 0;
  for (const applied of await catalog.policies.toExpire(false)) {
    const { projectId, retained } = await governed(context, applied);
    for (const id of expireFailed(retained, now)) if ((await deleteOne(context, projectId, id, applied)) === "queued") queued++;
  }
  return queued;
}

/** Whether a backup goes now, may go later, or stays. */
type Fate = "queued" | "later" | "stays";

/** A backup that a policy's numbers leave out goes only while the policy is as it was when that was found; one by time only while that is over. */
async function deleteOne(context: Context, projectId: ProjectId, backupId: Id, decided: AppliedPolicy | null): Promise<Fate> {
  try {
    return await context.catalog.transaction(async (tables): Promise<Fate> => {
      const backup = await tables.backups.get(projectId, backupId);
      if (backup === undefined) return "stays";
      const isOver = backup.expiredAt !== null && backup.expiredAt <= context.clock.nowUs();
      if (decided === null ? !isOver : !(await stillStands(tables, decided))) return "stays";
      await queueDeletion(context, tables, backup, null, decided?.policy.id);
      return "queued";
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    context.log.debug({ backupId, reason: error.message }, "an expired backup cannot go yet");
    return error.code === "backupLocked" ? "stays" : "later";
  }
}

async function stillStands(tables: Tables, { application, policy }: AppliedPolicy): Promise<boolean> {
  const now = await tables.policies.get(policy.projectId, policy.id);
  const isApplied = (await tables.policies.ofVault(application.vaultId)).some(({ policyId }) => policyId === policy.id);
  return now?.updatedAt === policy.updatedAt && isApplied;
}
