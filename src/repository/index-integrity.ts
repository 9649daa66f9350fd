import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

/** What SQLite says of the structure of a database: at most 20 problems, none when it is sound. */
export function integrityOf(database: DatabaseSync): string[] {
  const told = database
    .prepare("PRAGMA integrity_check(20)")
    .all()
    .map((row) => String(row["integrity_check"]));
  return told.length === 1 && told[0] === "ok" ? [] : told;
}

/** {@link integrityOf} of the same database in a thread of its own, where it is a file: it reads all of it, and others want to go on. */
export async function integrityBeside(database: DatabaseSync): Promise<string[]> {
  const path = database.location();
  if (path === null) return integrityOf(database);
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const worker = new Worker(new URL("./index-integrity-thread.ts", import.meta.url), { workerData: path, execArgv: [], name: "index check" });
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", () => reject(new Error(`the chunk index ${path} could not be read through`)));
  return await promise;
}
