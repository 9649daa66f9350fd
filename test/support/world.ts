import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecretBox } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Volume } from "#model/resource.ts";
import { systemClock } from "#platform/clock.ts";
import type { Clock } from "#platform/clock.ts";
import { silentLog } from "#platform/log.ts";
import { systemRandom } from "#platform/random.ts";
import type { Engine } from "#repository/engine-types.ts";
import { startEngine } from "#repository/engine.ts";
import type { Context } from "#services/context.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import { writeVolumeRange } from "#services/volumes/writeVolumeRange.ts";
import { backgroundIdle } from "#services/support/background.ts";
import { localPath } from "#services/support/paths.ts";
import { startRunner } from "#worker/runner.ts";

/** A real catalog in memory, a real engine on a real store, a real folder of volumes: what the use cases run on, without HTTP. */
export interface World {
  context: Context;
  catalog: Catalog;
  engine: Engine;
  /** Folder of the store. */
  storePath: string;
  /** Folder that file volumes are permitted below. */
  sources: string;
  /** Runs every queued task to its end. */
  runAll(): Promise<void>;
  /** A caller in a fresh project. */
  newCaller(overrides?: Partial<Caller>): Promise<Caller>;
  close(): Promise<void>;
}

/** A clock that stands where it is told to, a microsecond further at each look; sleeping is real. */
export function manualClock(startUs = 1_800_000_000_000_000): Clock & { advance(ms: number): void } {
  let now = startUs;
  return {
    nowUs: () => ++now,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
    advance(ms) {
      now += ms * 1000;
    },
  };
}

export async function makeWorld(options: { clock?: Clock; masterKey?: Uint8Array } = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-world-"));
  const sources = join(folder, "sources");
  const volumesPath = join(folder, "volumes");
  for (const path of [sources, volumesPath, join(folder, "store")]) mkdirSync(path);
  const clock = options.clock ?? systemClock;
  const catalog = await openCatalog({ path: ":memory:", clock });
  const engine = await startEngine({
    storePath: join(folder, "store"),
    indexPath: join(folder, "index.sqlite"),
    masterKey: options.masterKey ?? new Uint8Array(32).fill(7),
    laneCount: 1,
  });
  const context: Context = {
    catalog,
    engine,
    clock,
    random: systemRandom,
    log: silentLog,
    settings: {
      region: "r1",
      zone: "az1",
      nodeId: systemRandom.uuid(),
      volumesPath,
      sourceRoots: [sources],
      chunkBytes: 65_536,
      compressionLevel: 1,
      vaultMinGib: 1,
      vaultMaxGib: 1000,
      implicitVaultGib: 1000,
    },
    wake() {},
    secrets: createSecretBox(new Uint8Array(32).fill(7), systemRandom),
  };
  await catalog.identity.insertDomain({ id: "default", name: "Default" });
  return {
    context,
    catalog,
    engine,
    storePath: join(folder, "store"),
    sources,
    async runAll() {
      await backgroundIdle(context);
      const runner = startRunner({ context, owner: context.settings.nodeId, concurrency: 2, heartbeatMs: 20 });
      await runner.idle();
      await runner.stop(0);
    },
    async newCaller(overrides = {}) {
      const projectId = systemRandom.uuid().replaceAll("-", "");
      await catalog.identity.insertProject({ id: projectId, domainId: "default", name: projectId, description: "", enabled: true });
      return { userId: "u1", userName: "u", projectId, domainId: "default", roles: ["member"], requestId: "req-1", ...overrides };
    },
    async close() {
      await backgroundIdle(context);
      await engine.close();
      await catalog.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Bytes that do not compress and differ from seed to seed. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, Math.min(at, length - 4));
  }
  return bytes;
}

/** A 1 GiB volume with some data at its beginning and its end. */
export async function makeVolume(world: World, caller: Caller, name = "disk", seed = 1): Promise<Volume> {
  const volume = await createVolume(world.context, caller, { sizeGib: 1, name });
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 0, bytes: noise(200_000, seed) });
  await writeVolumeRange(world.context, caller, { volumeId: volume.id, offset: 1024 ** 3 - 70_000, bytes: noise(70_000, seed + 1) });
  return volume;
}

/** The first and last pieces of a volume's file: where {@link makeVolume} and the tests write. */
export async function edges(world: World, volumeId: string): Promise<Buffer> {
  const file = await open(localPath(world.context.settings, volumeId), "r");
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(400_000);
    await file.read(bytes, 0, 300_000, 0);
    await file.read(bytes, 300_000, 100_000, size - 100_000);
    return bytes;
  } finally {
    await file.close();
  }
}

/** A file below the permitted sources. */
export function writeSource(world: World, name: string, bytes: Uint8Array): string {
  const path = join(world.sources, name);
  writeFileSync(path, bytes);
  return path;
}

/** Resolves when the signal is aborted, or was already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
