import fastify, { type FastifyInstance } from "fastify";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerDialects } from "../../src/api/dialects.ts";
import { openapiDocument } from "../../src/api/openapi.ts";
import { unauthenticated } from "../../src/api/http/failure.ts";
import type { BlockStorageOptions } from "../../src/api/cinder/block-storage.ts";
import { listRoutes } from "../../src/api/http/routes.ts";
import { createSecretBox } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import { systemClock } from "#platform/clock.ts";
import { silentLog } from "#platform/log.ts";
import { systemRandom } from "#platform/random.ts";
import type { Engine } from "#repository/engine-types.ts";
import { auditTrailOf } from "#services/audit/auditTrail.ts";
import type { Context } from "#services/context.ts";
import { answerChecker, type CheckAnswer, type Description } from "./answers.ts";

export const projectA = "00000000000000000000000000000001";
export const projectB = "00000000000000000000000000000002";

/** The engine is beside the point of these tests but for the images it serves: backup id → bytes. */
export function imageEngine(images: Map<string, Uint8Array>): Engine {
  const unused = (): never => {
    throw new Error("no data is moved in this test");
  };
  return {
    repositoryId: "test",
    store: { kind: "memory", location: "memory" },
    backup: unused,
    replicate: unused,
    readOffer: unused,
    restore: unused,
    async readRange({ backupId, offset, length }) {
      const image = images.get(backupId);
      if (image === undefined) return unused();
      return image.slice(offset, offset + length);
    },
    deleteRoot: unused,
    async readRoot(tenant, backupId) {
      const image = images.get(backupId);
      if (image === undefined) return undefined;
      return { backupId, tenant, baseId: null, sizeBytes: image.length } as Awaited<ReturnType<Engine["readRoot"]>>;
    },
    listRoots: () => Promise.resolve([]),
    discardRoot: unused,
    listDeleted: () => Promise.resolve([]),
    readDeletedRoot: () => Promise.resolve(undefined),
    undelete: () => Promise.resolve(false),
    collect: unused,
    check: unused,
    storeCounts: async () => [],
    damage: () => Promise.resolve([]),
    storedBytes: () => Promise.resolve(0),
    isShredded: () => Promise.resolve(false),
    listTenants: unused,
    writeState: unused,
    readState: unused,
    async close() {},
  };
}

export interface DialectApp {
  app: FastifyInstance;
  /** Holds an answer against the description of the API. */
  check: CheckAnswer;
  context: Context;
  images: Map<string, Uint8Array>;
  folder: string;
  close(): Promise<void>;
}

/**
 * The dialects over real services and a real catalog, without identity: the token `ROLE@PROJECT` is a user of that role in that project.
 */
export async function openDialectApp(options: Partial<BlockStorageOptions> = {}): Promise<DialectApp> {
  const folder = mkdtempSync(join(tmpdir(), "opencbr-dialects-"));
  mkdirSync(join(folder, "volumes"));
  mkdirSync(join(folder, "sources"));
  const catalog = await openCatalog({ path: ":memory:" });
  const images = new Map<string, Uint8Array>();
  const context: Context = {
    catalog,
    engine: imageEngine(images),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    settings: {
      region: "RegionOne",
      zone: "az1",
      nodeId: "88888888-8888-4888-8888-888888888888",
      volumesPath: join(folder, "volumes"),
      sourceRoots: [join(folder, "sources")],
      chunkBytes: 262_144,
      compressionLevel: 1,
      vaultMinGib: 1,
      vaultMaxGib: 10_485_760,
      implicitVaultGib: 10_485_760,
    },
    wake() {},
    secrets: createSecretBox(new Uint8Array(32).fill(7), systemRandom),
  };
  const app = fastify({ exposeHeadRoutes: false, routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 } });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.decorate("api", {
    context,
    authenticate({ headers }) {
      const [role, projectId] = String(headers["x-auth-token"] ?? "").split("@");
      if (role === undefined || projectId === undefined) throw unauthenticated("no token");
      return {
        userId: `${role}-user`,
        userName: role,
        domainId: "default",
        scope: { kind: "project", projectId },
        roles: [role],
        token: undefined,
      };
    },
    baseUrlOf: () => "http://cbr.test",
    routes: [],
  });
  app.addHook("onClose", () => auditTrailOf(context).flush());
  registerDialects(app, { refuseDependentDeletes: false, serviceMetadataType: "seed", ...options });
  await app.ready();
  const description = JSON.parse(JSON.stringify(openapiDocument(listRoutes(app), { version: "0", url: "http://cbr.test" }))) as Description;
  return {
    app,
    check: answerChecker(description),
    context,
    images,
    folder,
    async close() {
      await app.close();
      await catalog.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Told {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into, key by key
  body: any;
  headers: Record<string, unknown>;
  raw: Buffer;
}

/** Asks the app as `ROLE@PROJECT`. */
export async function ask(
  { app, check }: DialectApp,
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE",
  url: string,
  sent: { body?: unknown; headers?: Record<string, string>; as?: string } = {},
): Promise<Told> {
  const { body, headers = {}, as = `member@${projectA}` } = sent;
  const isBytes = body instanceof Uint8Array || typeof body === "string";
  const response = await app.inject({
    method,
    url,
    headers: {
      ...(as === "" ? {} : { "x-auth-token": as }),
      ...(body === undefined || isBytes ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: isBytes ? Buffer.from(body as string) : JSON.stringify(body) }),
  });
  const type = response.headers["content-type"] ?? "";
  const told = type.includes("json") && response.payload !== "" ? JSON.parse(response.payload) : undefined;
  if (method !== "HEAD") check(method, url, response.statusCode, told);
  return {
    status: response.statusCode,
    body: told,
    headers: response.headers,
    raw: response.rawPayload,
  };
}
