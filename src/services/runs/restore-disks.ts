import type { Id, ProjectId } from "#model/ids.ts";
import type { TaskProgress } from "#model/task.ts";
import type { Engine, RestoreOutcome } from "#repository/engine-types.ts";

/**
 * Disks of one server that are restored at once. The engine divides its memory among all runs and lets four work at a time: one place is left for
 * others.
 */
const disksAtOnce = 3;

export interface RestoreTarget {
  backupId: Id;
  /** The file to write, and how large it has to be. */
  path: string;
  sizeBytes: number;
  /** Bytes of the image that are not zero. */
  dataBytes: number;
}

export interface RestoreDisks<Target extends RestoreTarget> {
  /** Whose backups they are. */
  tenant: ProjectId;
  targets: readonly Target[];
  allowHoles: boolean;
  signal: AbortSignal;
}

/**
 * Restores disks side by side; `begin` is called before the first byte of each is written. Progress is that of all together. When one fails the
 * others are stopped, and nothing is written any more when the failure is thrown. Tells the outcomes in the order of the targets.
 */
export async function restoreDisks<Target extends RestoreTarget>(
  engine: Pick<Engine, "restore">,
  { tenant, targets, allowHoles, signal }: RestoreDisks<Target>,
  begin: (target: Target) => Promise<void>,
  progress: (at: Omit<TaskProgress, "rate">) => void,
): Promise<RestoreOutcome[]> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const outcomes: RestoreOutcome[] = [];
  const bytesDone = targets.map(() => 0);
  const allBytes = targets.reduce((sum, target) => sum + target.dataBytes, 0);
  const waiting = [...targets.entries()];

  async function restoreOne(index: number, target: Target): Promise<void> {
    stop.throwIfAborted();
    await begin(target);
    outcomes[index] = await engine.restore(
      { tenant, backupId: target.backupId, target: { kind: "file", path: target.path }, sizeBytes: target.sizeBytes, allowHoles },
      {
        signal: stop,
        onProgress(at) {
          bytesDone[index] = at.bytesDone;
          const done = bytesDone.reduce((sum, bytes) => sum + bytes, 0);
          progress({ phase: at.phase, bytesDone: done, bytesTotal: targets.length > 1 ? allBytes : at.bytesTotal });
        },
      },
    );
    bytesDone[index] = target.dataBytes;
  }

  async function restoreSome(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await restoreOne(...next);
  }

  // The first to fail stops the others: what they say then is not the reason.
  let reason: { error: unknown } | undefined;
  await Promise.all(
    Array.from({ length: Math.min(disksAtOnce, targets.length) }, () =>
      restoreSome().catch((error: unknown) => {
        reason ??= { error };
        failed.abort();
      }),
    ),
  );
  if (reason !== undefined) throw reason.error;
  return outcomes;
}
