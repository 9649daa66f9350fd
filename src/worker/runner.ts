import type { Task } from "#model/task.ts";
import type { Context } from "#services/context.ts";
import { abandonTask, recoverTask } from "#services/runs/recoverTask.ts";
import { StaleTaskError, TaskStop } from "#services/runs/run.ts";
import { runTask } from "#services/runs/runTask.ts";
import { noteEndedTask } from "#services/stats/task-figures.ts";
import { progressMeter } from "./progress-meter.ts";

export interface RunnerOptions {
  context: Context;
  /** Who claims: the same name in every life of this worker, so that recovery knows what it left behind. */
  owner: string;
  /** Tasks at the same time. */
  concurrency: number;
  /** How long a claim holds without a heartbeat; default 30 s. */
  leaseMs?: number;
  /** Between heartbeats, which also carry progress and bring cancellations; default 1 s. */
  heartbeatMs?: number;
  /** How often to look for work that nobody announced; default 1 s. */
  pollMs?: number;
}

export interface Runner {
  /** There may be work: look now. */
  wake(): void;
  /** Whether this runner is working on the task. */
  isActive(taskId: string): boolean;
  /** Resolves when there is nothing to claim and nothing running. */
  idle(): Promise<void>;
  /** Claims nothing more; lets running tasks finish for up to `graceMs`, then stops them; resolves when all have ended. */
  stop(graceMs: number): Promise<void>;
}

/** Copyings that are followed at the same time; the others wait. */
const maxFollowed = 16;

interface Active {
  type: Task["type"];
  stop: AbortController;
  ended: Promise<void>;
}

/** Claims tasks, runs up to `concurrency` of them, keeps their leases and tells their progress. */
export function startRunner(options: RunnerOptions): Runner {
  const { context, owner, concurrency, leaseMs = 30_000, heartbeatMs = 1000, pollMs = 1000 } = options;
  const { catalog, clock, log } = context;
  const active = new Map<string, Active>();
  const stopping = new AbortController();
  let pumping: Promise<void> | undefined;
  let again = false;

  /** A copying only follows what another task does, maybe at another service: it takes no place that such a task may wait for. */
  const heavy = (): number => [...active.values()].filter(({ type }) => type !== "replication").length;

  const leaseUntil = (now: number): number => now + leaseMs * 1000;

  async function fill(): Promise<void> {
    while (!stopping.signal.aborted && heavy() < concurrency) {
      const now = clock.nowUs();
      const isEnough = active.size - heavy() >= maxFollowed;
      const task = await catalog.tasks.claim({ owner, now, leaseUntil: leaseUntil(now), ...(isEnough ? { but: "replication" as const } : {}) });
      if (task === undefined) return;
      start(task);
    }
  }

  function wake(): void {
    if (stopping.signal.aborted) return;
    if (pumping !== undefined) {
      again = true;
      return;
    }
    pumping = fill()
      .catch((error: unknown) => log.error({ err: error }, "tasks could not be claimed"))
      .finally(() => {
        pumping = undefined;
        if (again) {
          again = false;
          wake();
        }
      });
  }

  function start(task: Task): void {
    const stop = new AbortController();
    const ended = run(task, stop).finally(() => {
      active.delete(task.id);
      wake();
    });
    active.set(task.id, { type: task.type, stop, ended });
  }

  async function run(task: Task, stop: AbortController): Promise<void> {
    const meter = progressMeter(clock, "starting");
    const over = new AbortController();
    const beating = beat(task, stop, () => meter.latest(), over.signal);
    log.info({ taskId: task.id, type: task.type, backupId: task.backupId }, "task started");
    try {
      await runTask({ context, task, control: { signal: stop.signal, progress: (at) => meter.say(at), latest: () => meter.latest() } });
      log.info({ taskId: task.id, type: task.type }, "task ended");
    } catch (error) {
      await recordEscape(task, stop.signal, error);
    } finally {
      over.abort();
      await beating;
      await noteEndedTask(context, task).catch((error: unknown) => log.warn({ err: error, taskId: task.id }, "an ended task was not counted"));
    }
  }

  /** A run ends its own task; what it throws means that it could not, or must not. */
  async function recordEscape(task: Task, signal: AbortSignal, error: unknown): Promise<void> {
    const reason: unknown = signal.reason;
    const lost = error instanceof StaleTaskError || (reason instanceof TaskStop && reason.kind === "leaseLost");
    if (lost) return log.warn({ taskId: task.id }, "a task was taken over; this run was dropped");
    try {
      if (reason instanceof TaskStop && reason.kind === "shutdown") return await recoverTask(context, task);
      log.error({ err: error, taskId: task.id, type: task.type }, "a task stopped unexpectedly");
      await abandonTask(context, task, error);
    } catch (second) {
      log.error({ err: second, taskId: task.id }, "a task could not be ended; it will be when its lease has passed");
    }
  }

  async function beat(task: Task, stop: AbortController, latest: () => Task["progress"], over: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await clock.sleep(heartbeatMs, over);
      } catch {
        return;
      }
      try {
        const now = clock.nowUs();
        const told = await catalog.tasks.heartbeat(task.id, task.fencingToken, { now, leaseUntil: leaseUntil(now), progress: latest() });
        if (over.aborted) return;
        if (!told.alive) stop.abort(new TaskStop("leaseLost"));
        else if (stop.signal.aborted) continue;
        else if (told.cancelRequested) stop.abort(new TaskStop("cancelled"));
        else if (isOverTime(task, now)) stop.abort(new TaskStop("timeout"));
      } catch (error) {
        log.warn({ err: error, taskId: task.id }, "a heartbeat could not be written");
      }
    }
  }

  /** Counted from the first attempt, without the time that the task waited. */
  function isOverTime(task: Task, now: number): boolean {
    const { taskTimeoutUs = 0 } = context.settings;
    return taskTimeoutUs > 0 && task.startedAt !== null && now - task.startedAt > taskTimeoutUs;
  }

  async function poll(): Promise<void> {
    for (;;) {
      wake();
      try {
        await clock.sleep(pollMs, stopping.signal);
      } catch {
        return;
      }
    }
  }

  const polling = poll();

  async function allEnded(): Promise<void> {
    for (;;) {
      const claiming = pumping;
      if (claiming === undefined && active.size === 0) return;
      await claiming;
      await Promise.all([...active.values()].map((each) => each.ended));
    }
  }

  return {
    wake,
    isActive: (taskId) => active.has(taskId),
    async idle() {
      wake();
      await allEnded();
    },
    async stop(graceMs) {
      stopping.abort();
      await polling;
      const drained = new AbortController();
      const ended = allEnded().finally(() => drained.abort());
      await clock.sleep(graceMs, drained.signal).catch(() => undefined);
      for (const { stop } of active.values()) if (!stop.signal.aborted) stop.abort(new TaskStop("shutdown"));
      await ended;
    },
  };
}
