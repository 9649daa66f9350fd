import { parentPort } from "node:worker_threads";
import { invariant } from "#platform/invariant.ts";
import { systemRandom } from "#platform/random.ts";
import { yieldToOtherThreads } from "#platform/threads.ts";
import type { ToLane } from "./lane-messages.ts";
import { Lane } from "./lane.ts";

/** Entry of a lane's thread. */
const port = parentPort;
invariant(port, "a lane runs in a worker thread");
yieldToOtherThreads();
const lane = new Lane((message, transfer) => port.postMessage(message, [...(transfer ?? [])]), systemRandom);
port.on("message", (message: ToLane) => {
  lane.receive(message);
  if (message.kind === "stop") port.close();
});
