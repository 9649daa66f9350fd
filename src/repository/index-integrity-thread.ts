import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "#platform/invariant.ts";
import { yieldToOtherThreads } from "#platform/threads.ts";
import { integrityOf } from "./index-integrity.ts";

/** Entry of a thread that reads the chunk index once, beside those who use it. */
const port = parentPort;
invariant(port, "the chunk index is read in a thread");
yieldToOtherThreads();
let found: string[];
try {
  const database = new DatabaseSync(workerData as string, { readOnly: true, timeout: 5000 });
  try {
    found = integrityOf(database);
  } finally {
    database.close();
  }
} catch (error) {
  found = [(error as Error).message];
}
port.postMessage(found, []);
