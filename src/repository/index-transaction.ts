import type { DatabaseSync } from "node:sqlite";
import { RepositoryError } from "./engine-types.ts";

/** Runs `work` in one write transaction of the index's file: all of it happens, or nothing. */
export function indexTransaction<T>(database: DatabaseSync, work: () => T): T {
  try {
    database.exec("BEGIN IMMEDIATE");
    const value = work();
    database.exec("COMMIT");
    return value;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw asRepositoryError(error);
  }
}

function asRepositoryError(error: unknown): unknown {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  if (code === 13) return new RepositoryError("noSpace", "no space left for the chunk index", error);
  if (code === 8 || code === 14) return new RepositoryError("readOnly", "the chunk index cannot be written", error);
  return error;
}
