import { Type } from "@sinclair/typebox";
import type { ResourceFilter } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { ResourceType } from "#model/resource.ts";
import { addFileVolume } from "#services/resources/addFileVolume.ts";
import { addServer } from "#services/resources/addServer.ts";
import { listResources } from "#services/resources/listResources.ts";
import { removeResource } from "#services/resources/removeResource.ts";
import { showResource } from "#services/resources/showResource.ts";
import { updateResource } from "#services/resources/updateResource.ts";
import { idSchema, maybe, paramsSchema, querySchema, tagSchema } from "../cbr/schemas.ts";
import { readTags } from "../cbr/vault-bodies.ts";
import { readEncryption } from "../cinder/encryption.ts";
import { metadataSchema } from "../cinder/schemas.ts";
import { defineRoute } from "../http/route.ts";
import { one, oneOf, page } from "../query.ts";
import { renderResource } from "./render-resource.ts";

const types = ["OS::Cinder::Volume", "OS::Nova::Server"] as const satisfies readonly ResourceType[];
const disks = Type.Array(Type.Object({ volume_id: idSchema, system_disk: maybe(Type.Boolean()) }, { additionalProperties: false }), {
  minItems: 1,
  maxItems: 256,
});
const architecture = Type.String({ minLength: 1, maxLength: 32, pattern: "^[a-zA-Z0-9_\\-]+$" });
const name = Type.String({ minLength: 1, maxLength: 255 });
const description = Type.String({ maxLength: 255 });
const tags = Type.Array(tagSchema, { maxItems: 20 });
const strict = { additionalProperties: false };

const addBody = Type.Object({
  resource: Type.Object(
    {
      type: Type.Union(types.map((type) => Type.Literal(type))),
      name,
      description: maybe(description),
      availability_zone: maybe(Type.String({ minLength: 1, maxLength: 64 })),
      disks: maybe(disks),
      architecture: maybe(architecture),
      path: maybe(Type.String({ minLength: 1, maxLength: 4096 })),
      volume_type: maybe(Type.String({ minLength: 1, maxLength: 255 })),
      bootable: maybe(Type.Boolean()),
      metadata: maybe(metadataSchema),
      tags: maybe(tags),
    },
    strict,
  ),
});
const updateBody = Type.Object({
  resource: Type.Object(
    { name: maybe(name), description: maybe(description), architecture: maybe(architecture), disks: maybe(disks), tags: maybe(tags) },
    strict,
  ),
});
const params = paramsSchema("project_id", "resource_id");

function resourceIdOf(values: Readonly<Record<string, string>>): string {
  const id = values["resource_id"] ?? "";
  if (!isUuid(id)) throw new DomainError("resourceNotFound", `no resource ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

const readDisks = (given: { volume_id: string; system_disk?: boolean | null }[]) =>
  given.map((disk) => ({ volumeId: disk.volume_id, systemDisk: disk.system_disk ?? false }));

/** The registry of what can be protected: servers as sets of disks, and volumes that are files of the operator's. */
export const resourceRoutes = [
  defineRoute({
    method: "POST",
    path: "/resources",
    operation: "AddResource",
    action: "opencbr:resources:create",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: addBody },
    async handler({ body }, caller, context) {
      const { resource } = body;
      const common = {
        name: resource.name,
        description: resource.description ?? null,
        ...(resource.tags ? { tags: readTags(resource.tags) } : {}),
        ...(resource.availability_zone ? { availabilityZone: resource.availability_zone } : {}),
      };
      const refuse = (key: keyof typeof resource, needs: string): void => {
        if (resource[key] !== undefined && resource[key] !== null)
          throw new DomainError("invalidRequest", `resource.${key}: is for ${needs} only`, { field: `resource.${key}` });
      };
      if (resource.type === "OS::Nova::Server") {
        for (const key of ["path", "volume_type", "bootable", "metadata"] as const) refuse(key, "OS::Cinder::Volume");
        if (!resource.disks) throw new DomainError("invalidRequest", "resource.disks: is required for a server", { field: "resource.disks" });
        const server = await addServer(context, caller, {
          ...common,
          disks: readDisks(resource.disks),
          ...(resource.architecture ? { architecture: resource.architecture } : {}),
        });
        return { body: { resource: renderResource(server) } };
      }
      for (const key of ["disks", "architecture"] as const) refuse(key, "OS::Nova::Server");
      if (!resource.path)
        throw new DomainError("invalidRequest", "resource.path: is required for a volume that is a file", { field: "resource.path" });
      const { metadata, encryption } = readEncryption(resource.metadata ?? {});
      const volume = await addFileVolume(context, caller, {
        ...common,
        path: resource.path,
        metadata,
        encryption,
        bootable: resource.bootable ?? false,
        ...(resource.volume_type ? { volumeType: resource.volume_type } : {}),
      });
      return { body: { resource: renderResource(volume) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/resources",
    operation: "ListResources",
    action: "opencbr:resources:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["limit", "offset", "marker", "type", "name", "status"]) },
    async handler({ query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const filter: ResourceFilter = {};
      const type = oneOf(query, "type", types);
      const wantedName = one(query, "name");
      const status = one(query, "status");
      if (type !== undefined) filter.type = type;
      if (wantedName !== undefined) filter.name = wantedName;
      if (status !== undefined) filter.status = status;
      const listed = await listResources(context, caller, { filter, page: wanted });
      return { body: { resources: listed.items.map(renderResource), count: listed.count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/resources/:resource_id",
    operation: "ShowResource",
    action: "opencbr:resources:get",
    successStatus: 200,
    schema: { params },
    async handler(request, caller, context) {
      return { body: { resource: renderResource(await showResource(context, caller, { resourceId: resourceIdOf(request.params) })) } };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/resources/:resource_id",
    operation: "UpdateResource",
    action: "opencbr:resources:update",
    successStatus: 200,
    schema: { params, body: updateBody },
    async handler(request, caller, context) {
      const { resource } = request.body;
      const updated = await updateResource(context, caller, {
        resourceId: resourceIdOf(request.params),
        ...(resource.name ? { name: resource.name } : {}),
        ...(resource.description === undefined ? {} : { description: resource.description }),
        ...(resource.architecture === undefined ? {} : { architecture: resource.architecture }),
        ...(resource.disks ? { disks: readDisks(resource.disks) } : {}),
        ...(resource.tags ? { tags: readTags(resource.tags) } : {}),
      });
      return { body: { resource: renderResource(updated) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/resources/:resource_id",
    operation: "RemoveResource",
    action: "opencbr:resources:delete",
    successStatus: 204,
    schema: { params },
    async handler(request, caller, context) {
      await removeResource(context, caller, { resourceId: resourceIdOf(request.params) });
      return {};
    },
  }),
];
