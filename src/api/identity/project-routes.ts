import { Type } from "@sinclair/typebox";
import type { Tables } from "#catalog/tables.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { missing, refuseUnlessAdmin } from "./asker.ts";
import { hexId, maybe, nameSchema } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { renderProject } from "./render-directory.ts";

const descriptionSchema = Type.String({ maxLength: 255 });
const createBody = Type.Object({
  project: Type.Object({
    name: nameSchema,
    description: maybe(descriptionSchema),
    enabled: maybe(Type.Boolean()),
    domain_id: maybe(Type.String({ maxLength: 64 })),
    is_domain: maybe(Type.Literal(false)),
  }),
});
const updateBody = Type.Object({
  project: Type.Object({ name: maybe(nameSchema), description: maybe(descriptionSchema), enabled: maybe(Type.Boolean()) }),
});

/** Making, changing and removing projects (Keystone v3, Projects): for administrators. */
export function projectRoutes({ context }: Identity): Route[] {
  const { catalog, random } = context;
  return [
    defineRoute({
      method: "POST",
      path: "/v3/projects",
      operation: "CreateProject",
      action: "identity:projects:create",
      successStatus: 201,
      schema: { body: createBody },
      async handler(request) {
        refuseUnlessAdmin(request);
        const { name, description, enabled, domain_id: domainId } = request.body.project;
        const project = await catalog.transaction(async ({ identity }) => {
          const domain = await identity.getDomain(domainId ?? "default");
          if (domain === undefined) throw missing("domain", domainId ?? "default");
          await refuseTakenName({ identity }, domain.id, name);
          const made = { id: hexId(random), domainId: domain.id, name, description: description ?? "", enabled: enabled ?? true };
          await identity.insertProject(made);
          return made;
        });
        return { body: { project: renderProject(request, project) } };
      },
    }),
    defineRoute({
      method: "PATCH",
      path: "/v3/projects/:id",
      operation: "UpdateProject",
      action: "identity:projects:update",
      successStatus: 200,
      schema: { body: updateBody },
      async handler(request) {
        refuseUnlessAdmin(request);
        const { id = "" } = request.params;
        const { name, description, enabled } = request.body.project;
        const project = await catalog.transaction(async ({ identity }) => {
          const before = await identity.getProject(id);
          if (before === undefined) throw missing("project", id);
          if (name && name !== before.name) await refuseTakenName({ identity }, before.domainId, name);
          const patch = { name: name ?? before.name, description: description ?? before.description, enabled: enabled ?? before.enabled };
          await identity.updateProject(id, patch);
          return { ...before, ...patch };
        });
        return { body: { project: renderProject(request, project) } };
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v3/projects/:id",
      operation: "DeleteProject",
      action: "identity:projects:delete",
      successStatus: 204,
      schema: {},
      async handler(request) {
        refuseUnlessAdmin(request);
        const { id = "" } = request.params;
        await catalog.transaction(async (tables) => {
          if ((await tables.identity.getProject(id)) === undefined) throw missing("project", id);
          await refuseUnlessEmpty(tables, id);
          await tables.identity.removeProject(id);
        });
        return {};
      },
    }),
  ];
}

async function refuseTakenName({ identity }: Pick<Tables, "identity">, domainId: string, name: string): Promise<void> {
  const [taken] = await identity.listProjects({ name, domainId });
  if (taken !== undefined)
    throw new HttpFailure(409, `Conflict occurred attempting to store project - it is not permitted to have two projects named ${name}.`);
}

/** A project goes only when nothing is left in it: removing one must never be a way to lose backups. */
async function refuseUnlessEmpty(tables: Tables, projectId: string): Promise<void> {
  const first = { limit: 1, offset: 0 };
  const counts = {
    backups: (await tables.backups.list(projectId, {}, first)).count,
    resources: (await tables.resources.list(projectId, {}, first)).count,
    vaults: (await tables.vaults.list(projectId, {}, { limit: 1000, offset: 0 })).items.filter((vault) => !vault.implicit).length,
  };
  const left = Object.entries(counts).filter(([, count]) => count > 0);
  if (left.length === 0) return;
  const words = left.map(([noun, count]) => `${count} ${noun}`).join(", ");
  throw new HttpFailure(409, `Project ${projectId} is not empty (${words}): delete those first.`);
}
