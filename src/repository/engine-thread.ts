import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "#platform/invariant.ts";
import { systemRandom } from "#platform/random.ts";
import { Moved, serve, yieldToOtherThreads } from "#platform/threads.ts";
import type { CallControl } from "#platform/threads.ts";
import { EngineCore } from "./engine-core.ts";
import { RepositoryError } from "./engine-types.ts";
import type { BackupRequest, CheckRequest, EngineOptions, ReplicateRequest, RestoreRequest, TaskControl } from "./engine-types.ts";

/** Entry of the engine's thread: an {@link EngineCore} behind messages. */
const port = parentPort;
invariant(port, "the engine runs in a worker thread");
yieldToOtherThreads();

/** Progress is told at most this often. */
const PROGRESS_MS = 100;

let core: EngineCore | undefined;

function open(): EngineCore {
  if (core === undefined) throw new RepositoryError("engineStopped", "the engine is not open");
  return core;
}

function taskControl({ signal, progress }: CallControl): TaskControl {
  let toldAt = -Infinity;
  let toldPhase: string | undefined;
  return {
    signal,
    onProgress(value) {
      const now = performance.now();
      if (value.phase === toldPhase && now - toldAt < PROGRESS_MS) return;
      toldAt = now;
      toldPhase = value.phase;
      progress(value);
    },
  };
}

serve(port, {
  async open() {
    core = await EngineCore.open(workerData as EngineOptions, systemRandom);
    return { repositoryId: core.repositoryId, store: core.store };
  },
  backup: (request: BackupRequest, control) => open().backup(request, taskControl(control)),
  replicate: (request: ReplicateRequest, control) => open().replicate(request, taskControl(control)),
  restore: (request: RestoreRequest, control) => open().restore(request, taskControl(control)),
  discardRoot: ([tenant, backupId]: [string, string]) => open().discardRoot(tenant, backupId),
  listDeleted: (tenant: string) => open().listDeleted(tenant),
  readDeletedRoot: ([tenant, backupId]: [string, string]) => open().readDeletedRoot(tenant, backupId),
  undelete: ([tenant, backupId]: [string, string]) => open().undelete(tenant, backupId),
  collect: (request: Parameters<EngineCore["collect"]>[0], control) => open().collect(request, taskControl(control)),
  check: (request: CheckRequest, control) => open().check(request, taskControl(control)),
  storeCounts: () => open().storeCounts(),
  storedBytes: (tenant: string) => open().storedBytes(tenant),
  damage: ([tenant, backupId]: [string, string | undefined]) => open().damage(tenant, backupId),
  async readRange(request: Parameters<EngineCore["readRange"]>[0]) {
    const bytes = await open().readRange(request);
    return new Moved(bytes, [bytes.buffer as ArrayBuffer]);
  },
  async readOffer(request: Parameters<EngineCore["readOffer"]>[0]) {
    const part = await open().readOffer(request);
    const bytes = new Uint8Array(part);
    return new Moved(bytes, [bytes.buffer]);
  },
  deleteRoot: ([tenant, backupId]: [string, string]) => open().deleteRoot(tenant, backupId),
  readRoot: ([tenant, backupId]: [string, string]) => open().readRoot(tenant, backupId),
  listRoots: (tenant: string) => open().listRoots(tenant),
  isShredded: (tenant: string) => open().isShredded(tenant),
  listTenants: () => open().listTenants(),
  writeState: ({ tenant, nowUs, document }: { tenant: string; nowUs: number; document: unknown }) => open().writeState(tenant, nowUs, document),
  readState: (tenant: string) => open().readState(tenant),
  async close() {
    const closing = core;
    core = undefined;
    try {
      await closing?.close();
    } finally {
      setImmediate(() => port.close());
    }
  },
});
