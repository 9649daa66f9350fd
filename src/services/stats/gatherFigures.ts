import type { Context } from "../context.ts";
import { auditTrailOf } from "../audit/auditTrail.ts";
import { taskFiguresOf } from "./task-figures.ts";

/** One figure of the service as a monitoring system reads it. Names are Prometheus', without the program's prefix. */
export interface Figure {
  name: string;
  help: string;
  kind: "counter" | "gauge";
  values: { labels: Record<string, string>; value: number }[];
}

/** What the service has done since its start, and how it stands now. */
export async function gatherFigures(context: Context): Promise<Figure[]> {
  const { catalog, engine, clock } = context;
  const ended = [...taskFiguresOf(context).values()];
  const backups = ended.filter((each) => each.type === "backup");
  const sum = (pick: (each: (typeof ended)[number]) => number, of = backups): number => of.reduce((total, each) => total + pick(each), 0);
  const one = (value: number): Figure["values"] => [{ labels: {}, value }];
  const byEnd = (pick: (each: (typeof ended)[number]) => number): Figure["values"] =>
    ended.map((each) => ({ labels: { type: each.type, status: each.status }, value: pick(each) }));
  const [read, fresh, stored] = [sum((each) => each.readBytes), sum((each) => each.newBytes), sum((each) => each.storedBytes)];
  // The project does not count when all are asked for.
  const open = (status: "waiting" | "running") => catalog.tasks.list("", { status, allProjects: true }, { limit: 1000, offset: 0 });
  const [waiting, running] = [await open("waiting"), await open("running")];
  const sinceBeat = running.items.map((task) => Math.max(0, clock.nowUs() - task.updatedAt) / 1e6);
  const store = await engine.storeCounts();
  return [
    { name: "backup_read_bytes_total", help: "Bytes that backups read from their sources.", kind: "counter", values: one(read) },
    { name: "backup_new_bytes_total", help: "Bytes of chunks that backups stored first, before compression.", kind: "counter", values: one(fresh) },
    { name: "backup_stored_bytes_total", help: "Bytes that backups added to the store.", kind: "counter", values: one(stored) },
    {
      name: "restore_written_bytes_total",
      help: "Bytes that restores wrote.",
      kind: "counter",
      values: one(sum((each) => each.writtenBytes, ended)),
    },
    {
      name: "dedup_ratio",
      help: "New bytes to bytes read, of the backups since the start.",
      kind: "gauge",
      values: read > 0 ? one(fresh / read) : [],
    },
    {
      name: "compression_ratio",
      help: "Stored bytes to new bytes, of the backups since the start.",
      kind: "gauge",
      values: fresh > 0 ? one(stored / fresh) : [],
    },
    { name: "queue_depth", help: "Tasks that wait.", kind: "gauge", values: one(waiting.count) },
    { name: "tasks_running", help: "Tasks that run.", kind: "gauge", values: one(running.count) },
    {
      name: "lease_age_seconds",
      help: "Time since the heartbeat of the running task that has been silent longest.",
      kind: "gauge",
      values: one(Math.max(0, ...sinceBeat)),
    },
    { name: "tasks_total", help: "Tasks that ended, by type and status.", kind: "counter", values: byEnd((each) => each.count) },
    { name: "task_seconds_total", help: "Time that they ran.", kind: "counter", values: byEnd((each) => each.seconds) },
    {
      name: "audit_omitted_total",
      help: "Refused calls of unknown callers that were too many for the audit log, or that it had no room for.",
      kind: "counter",
      values: one(auditTrailOf(context).omitted),
    },
    {
      name: "store_requests_total",
      help: "Requests to the object store by operation and outcome; packs read in place by restores do not count.",
      kind: "counter",
      values: store.map(({ operation, outcome, requests }) => ({ labels: { operation, outcome }, value: requests })),
    },
    {
      name: "store_errors_total",
      help: "Those that failed, other than by asking for what is not there.",
      kind: "counter",
      values: one(store.filter(({ outcome }) => outcome !== "ok" && outcome !== "notFound").reduce((total, each) => total + each.requests, 0)),
    },
  ];
}
