import type { Task, TaskStatus, TaskType } from "#model/task.ts";
import type { Context } from "../context.ts";

/** What the tasks that ended since the start have done, by kind and end. Bytes and seconds. */
export interface TaskFigures {
  type: TaskType;
  status: TaskStatus;
  count: number;
  seconds: number;
  readBytes: number;
  newBytes: number;
  storedBytes: number;
  writtenBytes: number;
}

const figures = new WeakMap<Context["catalog"], Map<string, TaskFigures>>();

/** Adds a task that has just ended to the figures of this process. */
export async function noteEndedTask(context: Context, task: Pick<Task, "id" | "projectId">): Promise<void> {
  const ended = await context.catalog.tasks.get(task.projectId, task.id);
  if (ended === undefined || ended.endedAt === null) return;
  const bytes = (name: string): number => (typeof ended.result[name] === "number" ? ended.result[name] : 0);
  const known = taskFiguresOf(context);
  const key = `${ended.type} ${ended.status}`;
  const none = { count: 0, seconds: 0, readBytes: 0, newBytes: 0, storedBytes: 0, writtenBytes: 0 };
  const sum = known.get(key) ?? { type: ended.type, status: ended.status, ...none };
  known.set(key, {
    ...sum,
    count: sum.count + 1,
    seconds: sum.seconds + Math.max(0, ended.endedAt - (ended.startedAt ?? ended.endedAt)) / 1e6,
    readBytes: sum.readBytes + bytes("readBytes"),
    newBytes: sum.newBytes + bytes("newBytes"),
    storedBytes: sum.storedBytes + bytes("storedBytes"),
    writtenBytes: sum.writtenBytes + bytes("writtenBytes"),
  });
}

/** Kept with the catalog whose tasks they count. */
export function taskFiguresOf(context: Context): Map<string, TaskFigures> {
  let known = figures.get(context.catalog);
  if (known === undefined) figures.set(context.catalog, (known = new Map()));
  return known;
}
