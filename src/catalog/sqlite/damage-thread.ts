import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "#platform/invariant.ts";
import { yieldToOtherThreads } from "#platform/threads.ts";
import { SqliteConnection } from "./connection.ts";
import { findDamage } from "./row-sums.ts";

/** Entry of a thread that reads the catalog's file once, beside everything else, and tells what is wrong with it. */
const port = parentPort;
invariant(port, "the catalog's file is read in a thread");
yieldToOtherThreads();
const connection = new SqliteConnection(workerData as string, { readOnly: true, busyTimeoutMs: 5000 });
let found: string[];
try {
  found = findDamage(connection);
} finally {
  // Before anybody hears of it: whoever closes the catalog then is the last, and moves its log into the file.
  connection.close();
}
port.postMessage(found, []);
