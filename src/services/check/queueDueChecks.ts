import { DomainError } from "#model/errors.ts";
import type { Context } from "../context.ts";
import { createCheck } from "./createCheck.ts";

const dayUs = 24 * 3600 * 1_000_000;
const lastKey = "checksQueuedAtUs";

/**
 * Once a day, where a daily budget is set: a check of every project that has something in the store that can be read. They share the budget by what
 * each has stored. Tells how many were queued.
 */
export async function queueDueChecks(context: Context): Promise<number> {
  const budget = context.settings.checkDailyBytes ?? 0;
  if (budget === 0) return 0;
  const now = context.clock.nowUs();
  const last = Number((await context.catalog.meta.get(lastKey)) ?? 0);
  // A last time in the future comes from a clock that has been put back.
  if (last <= now && now - last < dayUs) return 0;
  await context.catalog.meta.set(lastKey, String(now));
  const tenants = await context.engine.listTenants();
  const stored = new Map<string, number>();
  for (const tenant of tenants) if (!(await context.engine.isShredded(tenant))) stored.set(tenant, await context.engine.storedBytes(tenant));
  const all = [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);
  let queued = 0;
  for (const [tenant, bytes] of stored) {
    if (bytes === 0) continue;
    try {
      await createCheck(context, { projectId: tenant, requestId: null }, { readData: { bytes: Math.max(1, Math.floor((budget * bytes) / all)) } });
      queued++;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      context.log.debug({ projectId: tenant, reason: error.message }, "a daily check was not queued");
    }
  }
  return queued;
}
