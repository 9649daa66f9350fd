import { Type } from "@sinclair/typebox";
import type { RoleAssignment } from "#catalog/tables.ts";
import type { Role } from "#model/caller.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Request, type Route } from "../http/route.ts";
import { isAdmin, missing, principalIn, refuseUnlessAdmin } from "./asker.ts";
import { parameter, textOf } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { listLinks, selfLink } from "./render-directory.ts";
import { renderRole } from "./render-token.ts";
import { refuseLastAdmin } from "./user-routes.ts";

const path = "/v3/projects/:id/users/:user_id/roles/:role_id";

/** Which user has which role on which project (Keystone v3, Roles): for administrators; everybody may ask for their own. */
export function assignmentRoutes({ context }: Identity, roles: readonly Role[]): Route[] {
  const { catalog } = context;

  /** A role by its id, or by its name, which is easier to type. */
  function roleOf(id: string): Role {
    const role = roles.find((name) => name === id || renderRole(name).id === id);
    if (role === undefined) throw missing("role", id);
    return role;
  }
  async function named(request: Request<unknown>): Promise<RoleAssignment> {
    const { id = "", user_id: userId = "", role_id: roleId = "" } = request.params;
    if ((await catalog.identity.getProject(id)) === undefined) throw missing("project", id);
    if ((await catalog.identity.getUser(userId)) === undefined) throw missing("user", userId);
    return { projectId: id, userId, role: roleOf(roleId) };
  }
  const isGiven = async ({ userId, projectId, role }: RoleAssignment): Promise<boolean> =>
    (await catalog.identity.listRoles(userId, projectId)).includes(role);

  return [
    defineRoute({
      method: "PUT",
      path,
      operation: "GrantRole",
      action: "identity:roles:grant",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseUnlessAdmin(request);
        const { userId, projectId, role } = await named(request);
        await catalog.identity.grantRole(userId, projectId, role);
        return {};
      },
    }),
    defineRoute({
      method: "HEAD",
      path,
      operation: "CheckRole",
      action: "identity:roles:get",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseUnlessAdmin(request);
        const assignment = await named(request);
        if (!(await isGiven(assignment))) throw missing("role assignment", assignment.role);
        return {};
      },
    }),
    defineRoute({
      method: "DELETE",
      path,
      operation: "RevokeRole",
      action: "identity:roles:revoke",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseUnlessAdmin(request);
        const { userId, projectId, role } = await named(request);
        await catalog.transaction(async (tables) => {
          if (role === "admin") await refuseLastAdmin(tables, userId, projectId);
          if (!(await tables.identity.revokeRole(userId, projectId, role))) throw missing("role assignment", role);
        });
        return {};
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v3/projects/:id/users/:user_id/roles",
      operation: "ListUserRoles",
      action: "identity:roles:list",
      successStatus: 200,
      schema: {},
      async handler(request) {
        const { id = "", user_id: userId = "" } = request.params;
        if (principalIn(request).userId !== userId) refuseUnlessAdmin(request);
        const found = (await catalog.identity.listRoles(userId, id)).map(renderRole);
        return {
          body: { roles: found.map((role) => ({ ...role, domain_id: null, links: selfLink(request, "roles", role.id) })), links: listLinks(request) },
        };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v3/role_assignments",
      operation: "ListRoleAssignments",
      action: "identity:roles:list",
      successStatus: 200,
      schema: {
        querystring: Type.Object({
          "user.id": parameter,
          "scope.project.id": parameter,
          "role.id": parameter,
          include_names: Type.Optional(Type.Any()),
        }),
      },
      async handler(request) {
        const asker = principalIn(request);
        const wanted = textOf(request.query["user.id"]);
        if (!isAdmin(asker) && wanted !== asker.userId) throw new HttpFailure(403, "user.id: only an administrator may ask about somebody else");
        const [projectId, roleId] = [textOf(request.query["scope.project.id"]), textOf(request.query["role.id"])];
        const found = await catalog.identity.listAssignments({
          ...(wanted === undefined ? {} : { userId: wanted }),
          ...(projectId === undefined ? {} : { projectId }),
          ...(roleId === undefined ? {} : { role: roleOf(roleId) }),
        });
        const names = request.query["include_names"] !== undefined;
        return { body: { role_assignments: await Promise.all(found.map((one) => render(request, one, names))), links: listLinks(request) } };
      },
    }),
  ];

  async function render(request: Request<unknown>, { userId, projectId, role }: RoleAssignment, names: boolean): Promise<object> {
    const { id, name } = renderRole(role);
    const [user, project] = names ? [await catalog.identity.getUser(userId), await catalog.identity.getProject(projectId)] : [];
    const domain = async (domainId: string): Promise<object> => ({
      id: domainId,
      name: (await catalog.identity.getDomain(domainId))?.name ?? domainId,
    });
    return {
      role: names ? { id, name } : { id },
      user: user === undefined ? { id: userId } : { id: userId, name: user.name, domain: await domain(user.domainId) },
      scope: { project: project === undefined ? { id: projectId } : { id: projectId, name: project.name, domain: await domain(project.domainId) } },
      links: { assignment: `${selfLink(request, "projects", projectId).self}/users/${userId}/roles/${id}` },
    };
  }
}
