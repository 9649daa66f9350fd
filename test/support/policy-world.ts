import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecretBox } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Backup } from "#model/backup.ts";
import type { Policy } from "#model/policy.ts";
import type { Task } from "#model/task.ts";
import { naiveUtc, parseUtc } from "#model/timestamps.ts";
import { silentLog } from "#platform/log.ts";
import { systemRandom } from "#platform/random.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import type { BackupOutcome, Engine, RootDescription } from "#repository/engine-types.ts";
import type { Context } from "#services/context.ts";
import { associateVaultPolicy } from "#services/policies/associateVaultPolicy.ts";
import { createPolicy } from "#services/policies/createPolicy.ts";
import { runTask } from "#services/runs/runTask.ts";
import type { DefinitionInput } from "#services/support/policy-rules.ts";
import { createVault } from "#services/vaults/createVault.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import { tick } from "#worker/scheduler.ts";
import { manualClock } from "./world.ts";
import { imageEngine } from "./dialect-app.ts";

/** Scheduler, use cases and runs on a real catalog in memory, in time that only the test moves. The engine keeps no data. */
export interface PolicyWorld {
  context: Context;
  catalog: Catalog;
  caller: Caller;
  /** Backups that are to fail from now on. */
  failing: boolean;
  /** Another process on the same catalog. */
  twin: Context;
  /** Ticks without running what was queued. */
  tick(): Promise<void>;
  /** Moves time without anything happening. */
  pass(minutes: number): void;
  /** Moves time to an instant, from one due policy or midnight to the next, and each time ticks and runs every task to its end. */
  until(utc: string): Promise<void>;
  /** Runs what is queued. */
  runQueued(): Promise<void>;
  /** A vault with so many volumes of 1 GiB. */
  vault(volumes?: number): Promise<string>;
  /** A policy that is applied to the vault. */
  apply(vaultId: string, patterns: string[], definition?: DefinitionInput, timezone?: string): Promise<Policy>;
  /** The backups there are, oldest first. */
  backups(vaultId: string): Promise<Backup[]>;
  /** When those were made, to the minute. */
  times(vaultId: string): Promise<string[]>;
  tasks(vaultId: string): Promise<Task[]>;
  close(): Promise<void>;
}

const minuteUs = 60_000_000;
const dayUs = 1440 * minuteUs;

/** With `twoProcesses` the catalog is a file, and the twin has it open by itself as another process would. */
export async function makePolicyWorld(startUtc: string, options: { twoProcesses?: boolean } = {}): Promise<PolicyWorld> {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-policies-"));
  mkdirSync(join(folder, "volumes"));
  const clock = manualClock(parseUtc(startUtc));
  const path = options.twoProcesses === true ? join(folder, "catalog.sqlite") : ":memory:";
  const catalog = await openCatalog({ path, clock });
  const second = options.twoProcesses === true ? await openCatalog({ path, clock }) : undefined;
  const state = { failing: false };
  const context: Context = {
    catalog,
    engine: instantEngine(() => state.failing),
    clock,
    random: systemRandom,
    secrets: createSecretBox(new Uint8Array(32).fill(7), systemRandom),
    log: silentLog,
    settings: {
      region: "r1",
      zone: "az1",
      nodeId: systemRandom.uuid(),
      volumesPath: join(folder, "volumes"),
      sourceRoots: [],
      chunkBytes: 65_536,
      compressionLevel: 1,
      vaultMinGib: 1,
      vaultMaxGib: 1000,
      implicitVaultGib: 1000,
    },
    wake() {},
    clone: () => Promise.resolve(false),
  };
  const projectId = "0".repeat(31).concat("1");
  await catalog.identity.insertDomain({ id: "default", name: "Default" });
  await catalog.identity.insertProject({ id: projectId, domainId: "default", name: "p", description: "", enabled: true });
  const caller: Caller = { userId: "u1", userName: "u", projectId, domainId: "default", roles: ["member"], requestId: "req-1" };
  const nowUs = (): number => clock.nowUs();

  async function runQueued(): Promise<void> {
    for (;;) {
      const task = await catalog.tasks.claim({ owner: "test", now: nowUs(), leaseUntil: nowUs() + minuteUs });
      if (task === undefined) return;
      const control = { signal: new AbortController().signal, progress() {}, latest: () => task.progress };
      await runTask({ context, task, control });
    }
  }

  async function backups(vaultId: string): Promise<Backup[]> {
    const { items } = await catalog.backups.list(projectId, { vaultId }, { limit: 100_000, offset: 0 });
    return items.map(({ backup }) => backup).toReversed();
  }

  return {
    context,
    catalog,
    caller,
    twin: { ...context, catalog: second ?? catalog },
    get failing() {
      return state.failing;
    },
    set failing(value) {
      state.failing = value;
    },
    tick: () => tick(context, () => false),
    runQueued,
    pass: (minutes) => clock.advance(minutes * 60_000),
    async until(utc) {
      const end = parseUtc(utc)!;
      for (let now = nowUs(); now < end; now = nowUs()) {
        const [next] = await catalog.policies.due(Number.MAX_SAFE_INTEGER, 1);
        const midnight = now - (now % dayUs) + dayUs;
        const to = Math.min(Math.max(next?.application.nextDueAt ?? end, now + 1), midnight, end);
        clock.advance((to - now) / 1000);
        await tick(context, () => false);
        await runQueued();
      }
    },
    async vault(volumes = 1) {
      const resources = [];
      for (let i = 0; i < volumes; i++) {
        const { id } = await createVolume(context, caller, { sizeGib: 1, name: `disk-${i}` });
        resources.push({ id, type: "OS::Cinder::Volume" as const });
      }
      const view = await createVault(context, caller, {
        name: "vault",
        sizeGib: 100,
        objectType: "disk",
        protectType: "backup",
        consistentLevel: "crash_consistent",
        resources,
      });
      return view.vault.id;
    },
    async apply(vaultId, patterns, definition = {}, timezone) {
      const schedule = { patterns, timezone: timezone ?? null };
      const { policy } = await createPolicy(context, caller, { name: "p", operationType: "backup", definition, schedule });
      await associateVaultPolicy(context, caller, { vaultId, policyIds: [policy.id] });
      return policy;
    },
    backups,
    times: async (vaultId) => (await backups(vaultId)).map(({ createdAt }) => naiveUtc(createdAt).slice(0, 16)),
    async tasks(vaultId) {
      const { items } = await catalog.tasks.list(projectId, { vaultId }, { limit: 100_000, offset: 0 });
      return items.toReversed();
    },
    async close() {
      await second?.close();
      await catalog.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const outcome: Omit<BackupOutcome, "rootKey"> = {
  container: "",
  sizeBytes: 1024 ** 3,
  readBytes: 0,
  dataBytes: 0,
  newBytes: 0,
  storedBytes: 1,
  unchangedBytes: 0,
  deduplicatedBytes: 0,
  newChunks: 0,
  objectCount: 1,
  compressed: false,
  durationMs: 1,
  changedWhileRead: false,
  changeList: "none",
};

/** An engine whose backups exist by name only. */
function instantEngine(isFailing: () => boolean): Engine {
  const roots = new Set<string>();
  return {
    ...imageEngine(new Map()),
    async backup({ backupId }) {
      if (isFailing()) throw new RepositoryError("storeUnavailable", "the test lets it fail");
      roots.add(backupId);
      return { ...outcome, rootKey: backupId };
    },
    readRoot: (tenant, backupId) => Promise.resolve(roots.has(backupId) ? ({ tenant, backupId, chunkBytes: 65_536 } as RootDescription) : undefined),
    async deleteRoot(_tenant, backupId) {
      roots.delete(backupId);
    },
    async discardRoot() {},
    listTenants: () => Promise.resolve([]),
  };
}
