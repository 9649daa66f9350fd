import { Type } from "@sinclair/typebox";
import type { AccessKey, ApplicationCredential } from "#catalog/tables.ts";
import type { Role } from "#model/caller.ts";
import { parseUtc } from "#model/timestamps.ts";
import { hashPassword } from "../auth/password.ts";
import { sealSecret } from "../auth/secrets.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Request, type Route } from "../http/route.ts";
import { isAdmin, missing, principalIn, selfOrAdmin } from "./asker.ts";
import { hexId, maybe, nameSchema, parameter, passwordSchema, randomText, textOf } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { listLinks, selfLink } from "./render-directory.ts";
import { renderRole, zulu } from "./render-token.ts";

const idSchema = Type.String({ minLength: 1, maxLength: 64 });
const accessKeyBody = Type.Object({
  credential: Type.Object({ user_id: idSchema, description: maybe(Type.String({ maxLength: 255 })), project_id: maybe(idSchema) }),
});
const accessKeyPatch = Type.Object({ credential: Type.Object({ status: Type.Union([Type.Literal("active"), Type.Literal("inactive")]) }) });
const applicationBody = Type.Object({
  application_credential: Type.Object({
    name: nameSchema,
    description: maybe(Type.String({ maxLength: 255 })),
    secret: maybe(passwordSchema),
    expires_at: maybe(Type.String({ maxLength: 40 })),
    roles: maybe(Type.Array(Type.Object({ id: maybe(idSchema), name: maybe(idSchema) }), { maxItems: 32 })),
  }),
});
/** As many as the public cloud lets a user have twice over: a forgotten loop must not fill the table. */
const maxPerUser = 100;

/** What programs log in with: access keys (IAM, OS-CREDENTIAL) and application credentials (Keystone v3). A secret is shown once, when it is made. */
export const credentialRoutes = (identity: Identity): Route[] => [...accessKeyRoutes(identity), ...applicationCredentialRoutes(identity)];

/** Whoever holds only a program's credential cannot make others of them (Keystone's "unrestricted: false"). @throws HttpFailure 403 */
function refuseProgram(request: Request<unknown>): void {
  if (principalIn(request).token?.methods.includes("application_credential") === true)
    throw new HttpFailure(403, "An application credential cannot manage credentials: log in with a password.");
}

function accessKeyRoutes({ context, keys }: Identity): Route[] {
  const { catalog, random } = context;
  const render = ({ id, userId, projectId, enabled }: AccessKey): object => ({
    access: id,
    user_id: userId,
    project_id: projectId,
    status: enabled ? "active" : "inactive",
  });
  async function permanent(request: Request<unknown>): Promise<AccessKey> {
    const { access = "" } = request.params;
    const key = await catalog.identity.getAccessKey(access);
    const asker = principalIn(request);
    if (key === undefined || key.expiresAt !== null || (key.userId !== asker.userId && !isAdmin(asker))) throw missing("credential", access);
    return key;
  }
  return [
    defineRoute({
      method: "POST",
      path: "/v3.0/OS-CREDENTIAL/credentials",
      operation: "CreateAccessKey",
      action: "identity:credentials:create",
      successStatus: 201,
      schema: { body: accessKeyBody },
      async handler(request) {
        refuseProgram(request);
        const asker = principalIn(request);
        const { user_id: userId, project_id: named, description } = request.body.credential;
        if (userId !== asker.userId && !isAdmin(asker)) throw new HttpFailure(403, "credential.user_id: is somebody else");
        const user = await catalog.identity.getUser(userId);
        if (user === undefined) throw missing("user", userId);
        const projectId = named ?? user.defaultProjectId ?? (asker.scope.kind === "project" ? asker.scope.projectId : undefined);
        if (projectId === undefined || (await catalog.identity.listRoles(userId, projectId)).length === 0)
          throw new HttpFailure(400, "credential.project_id: is needed, and the user needs a role on it");
        const [id, secret] = [randomText(random, 20).toUpperCase(), randomText(random, 40)];
        await catalog.transaction(async (tables) => {
          const { length } = await tables.identity.listAccessKeys({ userId });
          if (length >= maxPerUser) throw new HttpFailure(409, `A user has at most ${maxPerUser} access keys.`);
          await tables.identity.insertAccessKey({
            id,
            userId,
            projectId,
            sealedSecret: sealSecret(keys.secret, id, secret, random),
            enabled: true,
            expiresAt: null,
            securityTokenHash: null,
          });
        });
        return {
          body: { credential: { access: id, secret, user_id: userId, project_id: projectId, status: "active", description: description ?? "" } },
        };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v3.0/OS-CREDENTIAL/credentials",
      operation: "ListAccessKeys",
      action: "identity:credentials:list",
      successStatus: 200,
      schema: { querystring: Type.Object({ user_id: parameter }) },
      async handler(request) {
        const asker = principalIn(request);
        const userId = textOf(request.query["user_id"]) ?? (isAdmin(asker) ? undefined : asker.userId);
        if (userId !== asker.userId && !isAdmin(asker)) throw new HttpFailure(403, "user_id: is somebody else");
        const found = await catalog.identity.listAccessKeys(userId === undefined ? {} : { userId });
        return { body: { credentials: found.filter((key) => key.expiresAt === null).map(render) } };
      },
    }),
    defineRoute({
      method: "PUT",
      path: "/v3.0/OS-CREDENTIAL/credentials/:access",
      operation: "UpdateAccessKey",
      action: "identity:credentials:update",
      successStatus: 200,
      schema: { body: accessKeyPatch },
      async handler(request) {
        refuseProgram(request);
        const key = await permanent(request);
        const enabled = request.body.credential.status === "active";
        await catalog.identity.setAccessKeyEnabled(key.id, enabled);
        return { body: { credential: render({ ...key, enabled }) } };
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v3.0/OS-CREDENTIAL/credentials/:access",
      operation: "DeleteAccessKey",
      action: "identity:credentials:delete",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseProgram(request);
        await catalog.identity.removeAccessKey((await permanent(request)).id);
        return {};
      },
    }),
  ];
}

function applicationCredentialRoutes({ context }: Identity): Route[] {
  const { catalog, random, clock } = context;
  const render = (request: Request<unknown>, one: ApplicationCredential): object => ({
    id: one.id,
    name: one.name,
    description: one.description,
    user_id: one.userId,
    project_id: one.projectId,
    roles: one.roles.map((role) => ({ ...renderRole(role), domain_id: null })),
    expires_at: one.expiresAt === null ? null : zulu(one.expiresAt).slice(0, -1),
    unrestricted: false,
    links: { self: `${selfLink(request, "users", one.userId).self}/application_credentials/${one.id}` },
  });
  async function own(request: Request<unknown>): Promise<ApplicationCredential> {
    const userId = selfOrAdmin(request);
    const { id = "" } = request.params;
    const found = await catalog.identity.getApplicationCredential(id);
    if (found === undefined || found.userId !== userId) throw missing("application credential", id);
    return found;
  }
  function wantedRoles(given: readonly { id?: string | null; name?: string | null }[] | null | undefined, held: readonly Role[]): Role[] {
    if (!given || given.length === 0) return [...held];
    return given.map(({ id, name }) => {
      const role = held.find((one) => one === name || renderRole(one).id === id);
      if (role === undefined) throw new HttpFailure(400, "application_credential.roles: the user has no such role on the project");
      return role;
    });
  }
  const path = "/v3/users/:user_id/application_credentials";
  return [
    defineRoute({
      method: "POST",
      path,
      operation: "CreateApplicationCredential",
      action: "identity:applicationCredentials:create",
      successStatus: 201,
      schema: { body: applicationBody },
      async handler(request) {
        refuseProgram(request);
        const asker = principalIn(request);
        // Only for oneself, as in Keystone: the token says for which project.
        if (request.params["user_id"] !== asker.userId) throw new HttpFailure(403, "user_id: an application credential is made by its own user");
        const { scope } = asker;
        if (scope.kind !== "project") throw new HttpFailure(403, "An application credential needs a token of the project that it is for.");
        const { name, description, secret: given, expires_at: expires, roles } = request.body.application_credential;
        const expiresAt = expires ? parseUtc(expires) : null;
        if (expiresAt === undefined || (expiresAt !== null && (expiresAt <= clock.nowUs() || !Number.isSafeInteger(expiresAt))))
          throw new HttpFailure(400, "application_credential.expires_at: must be a time to come, YYYY-MM-DDTHH:MM:SS, before the year 2255");
        const secret = given ?? randomText(random, 40);
        const made: ApplicationCredential = {
          id: hexId(random),
          userId: asker.userId,
          projectId: scope.projectId,
          name,
          description: description ?? "",
          roles: wantedRoles(roles, asker.roles),
          secretHash: await hashPassword(secret, random),
          expiresAt,
          createdAt: clock.nowUs(),
        };
        await catalog.transaction(async (tables) => {
          const before = await tables.identity.listApplicationCredentials(asker.userId);
          if (before.some((one) => one.name === name)) throw new HttpFailure(409, `There is an application credential named ${name} already.`);
          if (before.length >= maxPerUser) throw new HttpFailure(409, `A user has at most ${maxPerUser} application credentials.`);
          await tables.identity.insertApplicationCredential(made);
        });
        return { body: { application_credential: { ...render(request, made), secret } } };
      },
    }),
    defineRoute({
      method: "GET",
      path,
      operation: "ListApplicationCredentials",
      action: "identity:applicationCredentials:list",
      successStatus: 200,
      schema: { querystring: Type.Object({ name: parameter }) },
      async handler(request) {
        const name = textOf(request.query["name"]);
        const found = await catalog.identity.listApplicationCredentials(selfOrAdmin(request));
        const matching = found.filter((one) => name === undefined || one.name === name);
        return { body: { application_credentials: matching.map((one) => render(request, one)), links: listLinks(request) } };
      },
    }),
    defineRoute({
      method: "GET",
      path: `${path}/:id`,
      operation: "ShowApplicationCredential",
      action: "identity:applicationCredentials:get",
      successStatus: 200,
      schema: {},
      handler: async (request) => ({ body: { application_credential: render(request, await own(request)) } }),
    }),
    defineRoute({
      method: "DELETE",
      path: `${path}/:id`,
      operation: "DeleteApplicationCredential",
      action: "identity:applicationCredentials:delete",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseProgram(request);
        await catalog.identity.removeApplicationCredential((await own(request)).id);
        return {};
      },
    }),
  ];
}
