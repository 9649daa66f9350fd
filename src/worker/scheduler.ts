import { dropOldAudit } from "#services/audit/dropOldAudit.ts";
import { queueDueChecks } from "#services/check/queueDueChecks.ts";
import { queueDueCollections } from "#services/collect/queueDueCollections.ts";
import type { Context } from "#services/context.ts";
import { dropOldEvents } from "#services/events/dropOldEvents.ts";
import { dropOldTasks } from "#services/tasks/dropOldTasks.ts";
import { syncOrganizationPolicies } from "#services/organization-policies/syncOrganizationPolicies.ts";
import { queueDuePolicyRuns } from "#services/policies/queueDuePolicyRuns.ts";
import { queueExpired } from "#services/policies/queueExpired.ts";
import { recoverTask } from "#services/runs/recoverTask.ts";

/**
 * What is due by the clock: tasks whose worker died, backups whose time is over, the day's checks, and collections. `isActive` tells which tasks
 * run in this process.
 */
export async function tick(context: Context, isActive: (taskId: string) => boolean): Promise<void> {
  const { catalog, clock, log } = context;
  for (const task of await catalog.tasks.expiredLeases(clock.nowUs())) {
    if (isActive(task.id)) continue;
    log.warn({ taskId: task.id, owner: task.leaseOwner }, "the lease of a task has passed");
    await recoverTask(context, task);
  }
  const given = await syncOrganizationPolicies(context);
  if (given > 0) log.info({ policies: given }, "projects have got policies of their organization");
  const runs = await queueDuePolicyRuns(context);
  if (runs > 0) log.info({ runs }, "policies have run");
  const expired = await queueExpired(context);
  if (expired > 0) log.info({ backups: expired }, "expired backups are being deleted");
  const checks = await queueDueChecks(context);
  if (checks > 0) log.info({ checks }, "the day's checks are queued");
  const collections = await queueDueCollections(context);
  if (collections > 0) log.info({ collections }, "collections are queued");
  const dropped = { auditEntries: await dropOldAudit(context), events: await dropOldEvents(context), tasks: await dropOldTasks(context) };
  if (dropped.auditEntries + dropped.events + dropped.tasks > 0) log.info(dropped, "old entries of the audit log, old events and old tasks are gone");
  context.wake();
}

export interface Scheduler {
  stop(): Promise<void>;
}

/** Ticks every `tickMs`, 10 s by default. A tick that fails is logged and the next one tries again. */
export function startScheduler(options: { context: Context; isActive: (taskId: string) => boolean; tickMs?: number }): Scheduler {
  const { context, isActive, tickMs = 10_000 } = options;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await tick(context, isActive).catch((error: unknown) => context.log.error({ err: error }, "a scheduler tick failed"));
      await context.clock.sleep(tickMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
