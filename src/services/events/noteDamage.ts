import type { Tables } from "#catalog/tables.ts";
import type { Task } from "#model/task.ts";
import type { TimestampUs } from "#model/ids.ts";
import type { CheckOutcome } from "#repository/engine-types.ts";
import { derivedId, noteEvent } from "./noteEvent.ts";

/** Backups that an event lists; all are counted. */
const listed = 100;

/** Notes that a check found damage, in the transaction that ends its task; nothing when it found none. */
export async function noteDamage(
  tables: Tables,
  task: Task,
  found: Pick<CheckOutcome, "findingCount" | "damagedBackups">,
  now: TimestampUs,
): Promise<void> {
  const { findingCount, damagedBackups } = found;
  if (findingCount + damagedBackups.length === 0) return;
  const ids = [...new Set(damagedBackups.map(({ backupId }) => backupId))];
  await noteEvent(tables, {
    id: derivedId("damage", task.id),
    projectId: task.projectId,
    type: "check.damage_found",
    createdAt: now,
    data: {
      task: { id: task.id, operation_type: task.type },
      finding_count: findingCount,
      damaged_backup_count: ids.length,
      damaged_backups: ids.slice(0, listed).map((id) => ({ id })),
    },
  });
}
