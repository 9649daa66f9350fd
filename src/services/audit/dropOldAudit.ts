import type { Context } from "../context.ts";

const atOnce = 5000;

/** Removes what is older than `auditDays` from the audit log, some thousand entries at a time; tells how many. */
export function dropOldAudit({ catalog, clock, settings }: Context): Promise<number> {
  const { auditDays } = settings;
  if (auditDays === undefined || auditDays === 0) return Promise.resolve(0);
  return catalog.audit.removeOlder(clock.nowUs() - auditDays * 86_400_000_000, atOnce);
}
