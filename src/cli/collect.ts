import type { Command } from "commander";
import { clientCommand, withTools, type Tools } from "./support/command.ts";
import { CommandError } from "./support/errors.ts";
import { formatBytes, formatTable } from "./support/format.ts";
import { taskFailure, watchTask } from "./support/tasks.ts";
import type { WireTask } from "./support/wire.ts";

interface Options {
  dryRun?: boolean;
  force?: boolean;
}

interface WirePlan {
  roots: number;
  pack_bytes: number;
  live_bytes: number;
  condemn_bytes: number;
  delete_bytes: number;
  compact_bytes: number;
  stopped: string | null;
  action_count: number;
  actions: { kind: string; object: string; bytes: number; reason: string }[];
  damaged_backups: { backup_id: string; reason: string }[];
}

/** Takes what no backup of the project needs any more: condemns it first, and deletes it in a later run, after the grace period. */
export function collect(parent: Command): void {
  clientCommand(parent, "collect", "free the space of what no backup of the project needs any more, and wait for it")
    .option("--dry-run", "only tell what would be done, and why")
    .option("--force", "go on however much is not needed any more without a deletion that explains it")
    .action((options: Options, command: Command) =>
      withTools(command, (tools) => (options.dryRun === true ? showPlan(tools, options) : run(tools, options))),
    );
}

const bodyOf = ({ force }: Options) => ({ collection: { force: force ?? false } });

async function showPlan({ client, output }: Tools, options: Options): Promise<void> {
  const { plan } = await client.own<{ plan: WirePlan }>("POST", "collections/plan", bodyOf(options));
  output.answer({ plan }, () => {
    const rows = plan.actions.map(({ kind, object, bytes, reason }) => [kind, object, formatBytes(bytes), reason]);
    return [
      ...(rows.length === 0 ? [] : [formatTable(["action", "object", "size", "because"], rows)]),
      ...(plan.action_count > rows.length ? [`… and ${plan.action_count - rows.length} more`] : []),
      `${formatBytes(plan.pack_bytes)} stored, ${formatBytes(plan.live_bytes)} of it needed by ${plan.roots} backups`,
      `would condemn ${formatBytes(plan.condemn_bytes)}, compact ${formatBytes(plan.compact_bytes)}, delete ${formatBytes(plan.delete_bytes)}`,
      ...plan.damaged_backups.map(({ backup_id, reason }) => `damaged: backup ${backup_id}: ${reason}`),
      ...(plan.stopped === null ? [] : [`would stop: ${plan.stopped}`]),
    ].join("\n");
  });
}

async function run({ client, output, bars }: Tools, options: Options): Promise<void> {
  const { operation_log: queued } = await client.own<{ operation_log: WireTask }>("POST", "collections", bodyOf(options));
  const task = await watchTask(client, queued.id, bars);
  if (task.status !== "success") throw new CommandError(taskFailure(task));
  const done = task.extra_info.collect ?? {};
  output.answer({ operation_log: task }, () =>
    [
      `${formatBytes(done.freed_bytes ?? 0)} freed (${done.deleted ?? 0} packs)`,
      `${formatBytes(done.condemned_bytes ?? 0)} condemned (${done.condemned ?? 0} packs): they go after the grace period`,
      `${done.compacted ?? 0} packs compacted, ${done.purged ?? 0} deleted backups purged`,
    ].join("\n"),
  );
}
