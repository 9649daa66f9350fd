import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createSecretBox, deriveIdentityKeys } from "#api/auth/secrets.ts";
import { createSecureContext } from "node:tls";
import { bootstrapIdentity, type FirstAccounts } from "#api/identity/bootstrap.ts";
import { createIdentity } from "#api/identity/identity.ts";
import { listRoutes } from "#api/http/routes.ts";
import { createListener } from "#api/listener.ts";
import { openCatalog } from "#catalog/open.ts";
import type { Catalog } from "#catalog/tables.ts";
import { createRoleBook, parseRoles, type RoleBook } from "#model/roles.ts";
import { type Clock, systemClock } from "#platform/clock.ts";
import { lockFolder } from "#platform/folder-lock.ts";
import { createLog, type Log } from "#platform/log.ts";
import { type Random, systemRandom } from "#platform/random.ts";
import { startEngine } from "#repository/engine.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { loadOrCreateMasterKey } from "#repository/master-key.ts";
import type { Context } from "#services/context.ts";
import { backgroundIdle } from "#services/support/background.ts";
import { startWorker } from "#worker/start.ts";
import { keepStates } from "#worker/state-keeper.ts";
import type { Settings } from "./config.ts";
import { readPeers } from "./peers-file.ts";
import { StartError } from "./start-failure.ts";

/** The running service. */
export interface App {
  /** Where it answers, without a slash at the end. */
  baseUrl: string;
  context: Context;
  /** On the first start of a data folder: what nobody can ask for again. */
  firstStart: FirstAccounts | undefined;
  /** Finishes the requests that are in work, lets running tasks go on for the grace period, then cancels them and closes everything. */
  stop(): Promise<void>;
}

export interface AppParts {
  /** Of this software. */
  version: string;
  clock?: Clock;
  random?: Random;
  log?: Log;
}

/**
 * Makes the whole service out of its parts and starts it: the only place where rooms are put together.
 * What was opened is closed again when something fails; what fails is told by `describeStartFailure`.
 */
export async function startApp(settings: Settings, parts: AppParts): Promise<App> {
  const { clock = systemClock, random = systemRandom, log = createLog(settings.logLevel) } = parts;
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) {
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    }
    // Whatever fails, the rest is closed: a part that stays open keeps the process alive.
    if (failures.length > 0) throw failures[0];
  };
  try {
    const tls = readTls(settings);
    const paths = makeFolders(settings.data);
    const lock = lockFolder(settings.data);
    closers.push(() => lock.release());
    const masterKey = readMasterKey(paths, random);
    refuseLostCatalog(settings.data, paths);
    const catalog = await openCatalog({ path: paths.catalog, clock });
    closers.push(() => catalog.close());
    const engine = await startEngine({
      storePath: paths.store,
      indexPath: paths.index,
      masterKey,
      bandwidth: { allBytes: settings.bandwidthMib * 1024 ** 2, taskBytes: settings.taskBandwidthMib * 1024 ** 2 },
      memoryBytes: settings.memoryMib * 1024 * 1024,
      ...(settings.lanes === 0 ? {} : { laneCount: settings.lanes }),
    });
    closers.push(() => engine.close());
    const context: Context = {
      catalog,
      engine,
      clock,
      random,
      log,
      settings: { ...serviceSettings(settings), nodeId: await nodeIdOf(catalog, random), volumesPath: paths.volumes },
      wake: () => {},
      secrets: createSecretBox(deriveIdentityKeys(masterKey).webhook, random),
      ...(settings.peersFile === undefined
        ? {}
        : { peers: readPeers(settings.peersFile, { region: settings.region, cert: tls?.cert, key: tls?.key }) }),
      ...(settings.rolesFile === undefined ? {} : { roles: readRoles(settings.rolesFile) }),
    };
    const identity = await createIdentity({ context, masterKey, tokenLifetimeSeconds: settings.tokenLifetimeSeconds });
    const states = keepStates({ context });
    closers.push(() => states.stop());
    const graceMs = settings.drainGraceSeconds * 1000;
    const worker = await startWorker(context, { concurrency: settings.taskConcurrency });
    closers.push(
      () => backgroundIdle(context),
      () => worker.stop({ graceMs }),
    );
    const listener = createListener({
      context,
      identity,
      version: parts.version,
      publicUrl: settings.publicUrl,
      hostRules: settings.hostRules,
      vbs: { serviceMetadataType: settings.vbsServiceMetadataType },
      refuseDependentDeletes: settings.refuseDependentDeletes,
      tls,
    });
    closers.push(() => closeListener(listener, clock, graceMs));
    for (const pattern of context.roles?.idlePatterns(listRoutes(listener).map(({ route }) => route.action)) ?? [])
      log.warn({ pattern, file: settings.rolesFile }, "a pattern of the role file covers no permission that there is");
    const address = await listener.listen({ host: settings.host, port: settings.port });
    // Last of all, so that a start that fails never makes accounts whose passwords nobody was told.
    const first = await bootstrapIdentity(context, { dev: settings.dev, masterKey });
    log.info({ address, data: settings.data, repository: engine.repositoryId }, "started");
    return {
      baseUrl: settings.publicUrl ?? address,
      context,
      firstStart: first,
      async stop() {
        log.info({}, "stopping");
        await close();
        log.info({}, "stopped");
      },
    };
  } catch (error) {
    log.debug({ err: error }, "the start failed");
    await close();
    throw error;
  }
}

interface Paths {
  masterKey: string;
  catalog: string;
  index: string;
  store: string;
  volumes: string;
}

/** The data folder's layout. Nobody but its owner may look into it. */
function makeFolders(data: string): Paths {
  if (statSync(data, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new StartError(`the data folder ${data} cannot be made: it is a file`);
  const paths = {
    masterKey: join(data, "master.key"),
    catalog: join(data, "catalog.sqlite"),
    index: join(data, "index.sqlite"),
    store: join(data, "store"),
    volumes: join(data, "volumes"),
  };
  for (const folder of [data, paths.store, paths.volumes]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return paths;
}

function readTls({ tlsCert, tlsKey, tlsClientCa }: Settings): { cert: string; key: string; clientCa: string | undefined } | undefined {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw new StartError(`the file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
    }
  };
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw new StartError("--tls-cert and --tls-key go together, and --tls-client-ca with them");
  const tls = { cert: read(tlsCert), key: read(tlsKey), clientCa: tlsClientCa === undefined ? undefined : read(tlsClientCa) };
  try {
    createSecureContext({ cert: tls.cert, key: tls.key, ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }) });
  } catch (error) {
    throw new StartError(`TLS cannot be served with ${tlsCert} and ${tlsKey}: ${(error as Error).message}`, { cause: error });
  }
  return tls;
}

function readRoles(path: string): RoleBook {
  try {
    return createRoleBook(parseRoles(JSON.parse(readFileSync(path, "utf8"))));
  } catch (error) {
    const why = error instanceof SyntaxError ? `it is no JSON (${error.message})` : (error as Error).message;
    throw new StartError(`the role file ${path} cannot be used: ${why}`, { cause: error });
  }
}

/** The master key, made at the first start only: a new one beside an old store would hide that the right one is lost. */
function readMasterKey(paths: Paths, random: Random): Uint8Array {
  const isNew = readdirSync(paths.store).length === 0 && statSync(paths.catalog, { throwIfNoEntry: false }) === undefined;
  if (!isNew && statSync(paths.masterKey, { throwIfNoEntry: false }) === undefined)
    throw new StartError(
      `${paths.masterKey} is missing: put the master key back that this data folder was made with; without it nothing can be read`,
    );
  try {
    return loadOrCreateMasterKey(paths.masterKey, random);
  } catch (error) {
    if (error instanceof RepositoryError) throw new StartError(error.message, { cause: error });
    throw error;
  }
}

/** A new catalog beside a store with projects would answer that there are no backups. */
function refuseLostCatalog(data: string, { catalog, store }: Paths): void {
  const found = statSync(catalog, { throwIfNoEntry: false });
  if ((found?.size ?? 0) > 0 || !existsSync(join(store, "objects", "t"))) return;
  const what = found === undefined ? "missing: make it" : "empty: remove it, and make it";
  throw new StartError(
    `${store} has the data of projects, and their catalog ${catalog} is ${what} again with opencbr rebuild --from ${store} --data ${data}`,
  );
}

/** Takes no new request and lets those in work end; after the grace period their connections are cut. */
async function closeListener(listener: ReturnType<typeof createListener>, clock: Clock, graceMs: number): Promise<void> {
  const closed = new AbortController();
  const closing = listener.close().finally(() => closed.abort());
  await clock.sleep(graceMs, closed.signal).then(
    () => listener.server.closeAllConnections(),
    () => undefined,
  );
  await closing;
}

/** The host id of this node: made once per data folder. */
async function nodeIdOf(catalog: Catalog, random: Random): Promise<string> {
  const known = await catalog.meta.get("nodeId");
  if (known !== undefined) return known;
  const made = random.uuid();
  await catalog.meta.set("nodeId", made);
  return made;
}

function serviceSettings(settings: Settings): Omit<Context["settings"], "nodeId" | "volumesPath"> {
  const { region, zone, sourceRoots, chunkKib, compressionLevel, vaultMinGib, vaultMaxGib, implicitVaultGib, checkDailyGib } = settings;
  const hourUs = 3600 * 1_000_000;
  const collection = {
    collectIntervalUs: settings.collectHours * hourUs,
    graceUs: settings.graceHours * hourUs,
    maxCondemnRatio: settings.maxCondemnPercent / 100,
  };
  const { auditDays, eventDays, taskDays, webhookAllow, expiryHours } = settings;
  const kept = {
    auditDays,
    eventDays,
    taskDays,
    webhookAllow,
    taskTimeoutUs: settings.taskTimeoutHours * hourUs,
    ...(expiryHours === undefined ? {} : { expiryHours }),
    ...(settings.importPath === undefined ? {} : { importPath: settings.importPath }),
  };
  const bytes = { chunkBytes: chunkKib * 1024, checkDailyBytes: checkDailyGib * 1024 ** 3 };
  return { region, zone, sourceRoots, ...bytes, ...collection, ...kept, compressionLevel, vaultMinGib, vaultMaxGib, implicitVaultGib };
}
