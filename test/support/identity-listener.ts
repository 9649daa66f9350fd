import type { FastifyInstance } from "fastify";
import { join } from "node:path";
import { createListener, type ListenerOptions } from "#api/listener.ts";
import { bootstrapIdentity } from "#api/identity/bootstrap.ts";
import { createIdentity, type Identity } from "#api/identity/identity.ts";
import { createSecretBox, deriveIdentityKeys } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import { systemClock, type Clock } from "#platform/clock.ts";
import { silentLog, type Log } from "#platform/log.ts";
import { systemRandom } from "#platform/random.ts";
import type { Engine } from "#repository/engine-types.ts";
import type { RoleBook } from "#model/roles.ts";
import type { Context } from "#services/context.ts";

export const devProjectId = "0de0de0de0de0de0de0de0de0de0de00";
export const otherProjectId = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
export const accessKey = { id: "DEVACCESSKEY00000001", secret: "devsecretkey000000000000000000000000000001" };
export const masterKey = new Uint8Array(32).fill(7);

export interface Harness {
  app: FastifyInstance;
  context: Context;
  identity: Identity;
  /** Logs in and gives the token's text; a scope of null asks for none. */
  login(user?: "demo" | "admin" | "reader" | "outsider" | "changed", scope?: object | null): Promise<string>;
  close(): Promise<void>;
}

/** A clock that stands where it is put. */
export function standingClock(nowUs: number): Clock & { set(us: number): void } {
  let now = nowUs;
  return { nowUs: () => now, sleep: async () => {}, set: (us) => void (now = us) };
}

export interface HarnessOptions extends Partial<Omit<ListenerOptions, "context" | "identity">> {
  clock?: Clock;
  log?: Log;
  tokenLifetimeSeconds?: number;
  /** Of a catalog file and of volumes; absent = a catalog in memory, and no volumes. */
  folder?: string;
  engine?: Engine;
  roles?: RoleBook;
}

/**
 * The real listener on the real catalog with the dev accounts, a second project that only admin may use, and a user `reader`. There is no engine:
 * only what moves no data can be asked.
 */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const { clock = systemClock, log = silentLog, tokenLifetimeSeconds = 3600, folder, engine, roles, ...listenerOptions } = options;
  const catalog = await openCatalog({ path: folder === undefined ? ":memory:" : join(folder, "catalog.sqlite"), clock });
  const context: Context = {
    catalog,
    engine: engine ?? (undefined as never),
    clock,
    random: systemRandom,
    log,
    wake() {},
    secrets: createSecretBox(deriveIdentityKeys(masterKey).webhook, systemRandom),
    ...(roles === undefined ? {} : { roles }),
    settings: {
      region: "RegionOne",
      zone: "az1",
      nodeId: "node",
      volumesPath: folder ?? "/nonexistent",
      sourceRoots: [],
      chunkBytes: 262_144,
      compressionLevel: 1,
      vaultMinGib: 10,
      vaultMaxGib: 10_485_760,
      implicitVaultGib: 10_485_760,
    },
  };
  await bootstrapIdentity(context, { dev: true, masterKey, passwordCost: { ln: 4, r: 8, p: 1 } });
  const { identity: tables } = catalog;
  const admin = (await tables.findUser("default", "admin"))!;
  const demo = (await tables.findUser("default", "demo"))!;
  await tables.insertProject({ id: otherProjectId, domainId: "default", name: "other", description: "", enabled: true });
  await tables.grantRole(admin.id, otherProjectId, "admin");
  await tables.insertUser({ ...demo, id: "reader-id", name: "reader" });
  await tables.grantRole("reader-id", devProjectId, "reader");
  const identity = await createIdentity({ context, masterKey, tokenLifetimeSeconds });
  const app = createListener({
    context,
    identity,
    version: "0.0.0",
    hostRules: false,
    vbs: { serviceMetadataType: "seed" },
    refuseDependentDeletes: false,
    ...listenerOptions,
  });
  await app.ready();
  return {
    app,
    context,
    identity,
    async login(user: string = "demo", scope: object | null = { project: { id: devProjectId } }) {
      const answer = await app.inject({
        method: "POST",
        url: "/v3/auth/tokens",
        payload: loginBody(user, user === "admin" ? "opencbr-admin" : "opencbr-demo", scope),
      });
      if (answer.statusCode !== 201) throw new Error(`login: ${answer.statusCode} ${answer.body}`);
      return String(answer.headers["x-subject-token"]);
    },
    async close() {
      await app.close();
      await catalog.close();
    },
  };
}

export function loginBody(user: string, password: string, scope?: object | null): object {
  return {
    auth: {
      identity: { methods: ["password"], password: { user: { name: user, password, domain: { name: "Default" } } } },
      ...(scope ? { scope } : {}),
    },
  };
}
