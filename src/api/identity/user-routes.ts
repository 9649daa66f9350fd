import { Type } from "@sinclair/typebox";
import type { Tables, User } from "#catalog/tables.ts";
import { hashPassword, verifyPassword } from "../auth/password.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { missing, refuseUnlessAdmin, selfOrAdmin } from "./asker.ts";
import { hexId, maybe, nameSchema, parameter, passwordSchema, textOf } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { listLinks, renderUser } from "./render-directory.ts";

const idSchema = Type.String({ minLength: 1, maxLength: 64 });
const createBody = Type.Object({
  user: Type.Object({
    name: nameSchema,
    password: passwordSchema,
    domain_id: maybe(idSchema),
    default_project_id: maybe(idSchema),
    enabled: maybe(Type.Boolean()),
  }),
});
const updateBody = Type.Object({
  user: Type.Object({
    name: maybe(nameSchema),
    password: maybe(passwordSchema),
    default_project_id: maybe(idSchema),
    enabled: maybe(Type.Boolean()),
  }),
});
const passwordBody = Type.Object({ user: Type.Object({ original_password: Type.String({ maxLength: 4096 }), password: passwordSchema }) });

/** Users (Keystone v3, Users): administrators make, change and remove them; everybody may change their own password. */
export function userRoutes(identity: Identity): Route[] {
  const { catalog, random } = identity.context;
  return [
    defineRoute({
      method: "GET",
      path: "/v3/users",
      operation: "ListUsers",
      action: "identity:users:list",
      successStatus: 200,
      schema: { querystring: Type.Object({ name: parameter, domain_id: parameter, enabled: parameter }) },
      async handler(request) {
        refuseUnlessAdmin(request);
        const [name, domainId, enabled] = [textOf(request.query["name"]), textOf(request.query["domain_id"]), textOf(request.query["enabled"])];
        const users = await catalog.identity.listUsers({
          ...(name === undefined ? {} : { name }),
          ...(domainId === undefined ? {} : { domainId }),
          ...(enabled === undefined ? {} : { enabled: !/^(false|0)$/i.test(enabled) }),
        });
        return { body: { users: users.map((user) => renderUser(request, user)), links: listLinks(request) } };
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v3/users",
      operation: "CreateUser",
      action: "identity:users:create",
      successStatus: 201,
      schema: { body: createBody },
      async handler(request) {
        refuseUnlessAdmin(request);
        const { name, password, domain_id: domainId, default_project_id: projectId, enabled } = request.body.user;
        const passwordHash = await hashPassword(password, random);
        const user = await catalog.transaction(async (tables) => {
          const domain = await tables.identity.getDomain(domainId ?? "default");
          if (domain === undefined) throw missing("domain", domainId ?? "default");
          await refuseTakenName(tables, domain.id, name);
          await refuseUnknownProject(tables, projectId);
          const made: User = {
            id: hexId(random),
            domainId: domain.id,
            name,
            passwordHash,
            enabled: enabled ?? true,
            defaultProjectId: projectId ?? null,
          };
          await tables.identity.insertUser(made);
          return made;
        });
        return { body: { user: renderUser(request, user) } };
      },
    }),
    defineRoute({
      method: "PATCH",
      path: "/v3/users/:user_id",
      operation: "UpdateUser",
      action: "identity:users:update",
      successStatus: 200,
      schema: { body: updateBody },
      async handler(request) {
        refuseUnlessAdmin(request);
        const { user_id: id = "" } = request.params;
        const { name, password, default_project_id: projectId, enabled } = request.body.user;
        const passwordHash = password ? await hashPassword(password, random) : undefined;
        const user = await catalog.transaction(async (tables) => {
          const before = await tables.identity.getUser(id);
          if (before === undefined) throw missing("user", id);
          if (name && name !== before.name) await refuseTakenName(tables, before.domainId, name);
          await refuseUnknownProject(tables, projectId);
          if (enabled === false) await refuseLastAdmin(tables, id);
          const patch = {
            name: name ?? before.name,
            enabled: enabled ?? before.enabled,
            defaultProjectId: projectId === undefined ? before.defaultProjectId : projectId,
          };
          await tables.identity.updateUser(id, patch);
          if (passwordHash !== undefined) await tables.identity.setPasswordHash(id, passwordHash);
          return { ...before, ...patch };
        });
        return { body: { user: renderUser(request, user) } };
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v3/users/:user_id",
      operation: "DeleteUser",
      action: "identity:users:delete",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseUnlessAdmin(request);
        const { user_id: id = "" } = request.params;
        await catalog.transaction(async (tables) => {
          if ((await tables.identity.getUser(id)) === undefined) throw missing("user", id);
          await refuseLastAdmin(tables, id);
          await tables.identity.removeUser(id);
        });
        return {};
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v3/users/:user_id/password",
      operation: "ChangePassword",
      action: "identity:users:update",
      successStatus: 204,
      schema: { body: passwordBody },
      async handler(request) {
        const id = selfOrAdmin(request);
        const { original_password: original, password } = request.body.user;
        const user = await catalog.identity.getUser(id);
        if (user === undefined) throw missing("user", id);
        // The same brake as at a login: a stolen token must not be a way to guess the password.
        if (!(await identity.logins.check(user, user.name, request.address, original))) {
          throw new HttpFailure(401, "user.original_password: is not the password");
        }
        if (await verifyPassword(password, user.passwordHash)) throw new HttpFailure(400, "user.password: is the one before");
        await catalog.identity.setPasswordHash(id, await hashPassword(password, random));
        return {};
      },
    }),
  ];
}

async function refuseTakenName({ identity }: Pick<Tables, "identity">, domainId: string, name: string): Promise<void> {
  if ((await identity.findUser(domainId, name)) === undefined) return;
  throw new HttpFailure(409, `Conflict occurred attempting to store user - it is not permitted to have two users named ${name}.`);
}

async function refuseUnknownProject({ identity }: Pick<Tables, "identity">, projectId: string | null | undefined): Promise<void> {
  if (projectId && (await identity.getProject(projectId)) === undefined)
    throw new HttpFailure(400, "user.default_project_id: there is no such project");
}

/** Somebody must be left who can put things right. @throws HttpFailure 409 */
export async function refuseLastAdmin({ identity }: Pick<Tables, "identity">, userId: string, projectId?: string): Promise<void> {
  const administrators = await identity.listAssignments({ role: "admin" });
  const lost = administrators.filter((one) => one.userId === userId && (projectId === undefined || one.projectId === projectId));
  if (lost.length === 0) return;
  for (const one of administrators) {
    if (lost.includes(one)) continue;
    if ((await identity.getUser(one.userId))?.enabled === true) return;
  }
  throw new HttpFailure(409, "This is the last administrator: give somebody else the role admin first.");
}
