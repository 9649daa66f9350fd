import type { Id } from "#model/ids.ts";
import { ChangeRecord } from "#sources/change-record.ts";
import type { Context } from "../context.ts";
import { changeLogPath, localPath } from "./paths.ts";

/** Records that stay in memory while nobody uses them. */
const maxIdle = 32;
const recordsOf = new WeakMap<Context, Map<Id, ChangeRecord>>();

/** What is written to a volume of ours. Whoever writes it, freezes it, or puts another file in its place does so through this. */
export function changesOf(context: Context, volumeId: Id): ChangeRecord {
  const records = recordsOf.get(context) ?? new Map<Id, ChangeRecord>();
  recordsOf.set(context, records);
  const found = records.get(volumeId) ?? new ChangeRecord(localPath(context.settings, volumeId), changeLogPath(context.settings, volumeId));
  records.delete(volumeId);
  for (const [id, record] of records) {
    if (records.size < maxIdle) break;
    if (record.isIdle) records.delete(id);
  }
  records.set(volumeId, found);
  return found;
}
