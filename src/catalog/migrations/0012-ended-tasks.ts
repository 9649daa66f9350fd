import type { Migration } from "./migration.ts";

/** Old tasks are found without reading the others. */
export const endedTasks: Migration = { version: 12, statements: () => [`create index tasks_ended on tasks (ended_at)`] };
