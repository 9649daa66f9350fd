import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { rolesOf } from "#services/context.ts";
import { extendVolume } from "#services/volumes/extendVolume.ts";
import { resetVolumeStatus } from "#services/volumes/resetVolumeStatus.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { updateVolume } from "#services/volumes/updateVolume.ts";
import { maybe, paramsSchema } from "../cbr/schemas.ts";
import { readFlag } from "./backups.ts";
import { blockStorageRoute, type Version } from "./block-storage.ts";
import { ownMetadata, shownMetadata } from "./encryption.ts";
import { metadataSchema, wireBoolean, wireInteger } from "./schemas.ts";
import { volumeIdOf, volumeParams } from "./volumes.ts";

const actionBody = Type.Object(
  {
    "os-extend": Type.Optional(Type.Object({ new_size: wireInteger })),
    "os-set_bootable": Type.Optional(Type.Object({ bootable: wireBoolean })),
    "os-reset_status": Type.Optional(Type.Object({ status: maybe(Type.String({ maxLength: 32 })) })),
  },
  { additionalProperties: false },
);
const keyParams = paramsSchema("project_id", "volume_id", "key");

/** Actions on a volume, and its metadata key by key. */
export function volumeActionRoutes(version: Version) {
  const family = version === "v2" ? "V2" : "V3";
  return [
    blockStorageRoute(version, {
      method: "POST",
      path: "/volumes/:volume_id/action",
      operation: `VolumeAction${family}`,
      action: "volume:volumes:action",
      successStatus: 202,
      schema: { params: volumeParams, body: actionBody },
      async handler({ params, body }, caller, context) {
        const volumeId = volumeIdOf(params);
        const names = Object.keys(body);
        if (names.length !== 1)
          throw new DomainError("invalidRequest", `action: give exactly one of ${Object.keys(actionBody.properties).join(", ")}`, {
            field: "action",
          });
        if (body["os-extend"]) {
          await extendVolume(context, caller, { volumeId, newSizeGib: Number(body["os-extend"].new_size) });
          return {};
        }
        if (body["os-set_bootable"]) {
          const bootable = readFlag(body["os-set_bootable"].bootable, "os-set_bootable.bootable") ?? false;
          await updateVolume(context, caller, { volumeId, bootable });
          return { status: 200 };
        }
        if (!rolesOf(context).isAllowed(caller.roles, "volume:admin:resetStatus"))
          throw new DomainError("forbidden", "os-reset_status: is for administrators");
        await resetVolumeStatus(context, caller, { volumeId, status: body["os-reset_status"]?.status ?? "" });
        return {};
      },
    }),
    blockStorageRoute(version, {
      method: "GET",
      path: "/volumes/:volume_id/metadata",
      operation: `ListVolumeMetadata${family}`,
      action: "volume:volumes:get",
      successStatus: 200,
      schema: { params: volumeParams },
      async handler({ params }, caller, context) {
        return { body: { metadata: shownMetadata(await showVolume(context, caller, { volumeId: volumeIdOf(params) })) } };
      },
    }),
    ...(["POST", "PUT"] as const).map((method) =>
      blockStorageRoute(version, {
        method,
        path: "/volumes/:volume_id/metadata",
        operation: `${method === "POST" ? "Create" : "Replace"}VolumeMetadata${family}`,
        action: "volume:volumes:update",
        successStatus: 200,
        schema: { params: volumeParams, body: Type.Object({ metadata: metadataSchema }) },
        async handler({ params, body }, caller, context) {
          const volumeId = volumeIdOf(params);
          const volume = await showVolume(context, caller, { volumeId });
          const own = ownMetadata(volume, body.metadata);
          const updated = await updateVolume(context, caller, { volumeId, metadata: method === "POST" ? { ...volume.metadata, ...own } : own });
          return { body: { metadata: shownMetadata(updated) } };
        },
      }),
    ),
    blockStorageRoute(version, {
      method: "GET",
      path: "/volumes/:volume_id/metadata/:key",
      operation: `ShowVolumeMetadataKey${family}`,
      action: "volume:volumes:get",
      successStatus: 200,
      schema: { params: keyParams },
      async handler({ params }, caller, context) {
        const shown = shownMetadata(await showVolume(context, caller, { volumeId: volumeIdOf(params) }));
        const key = params["key"] ?? "";
        if (!Object.hasOwn(shown, key))
          throw new DomainError("volumeNotFound", `Metadata key ${JSON.stringify(key.slice(0, 64))} could not be found.`);
        return { body: { meta: { [key]: shown[key] } } };
      },
    }),
    blockStorageRoute(version, {
      method: "DELETE",
      path: "/volumes/:volume_id/metadata/:key",
      operation: `DeleteVolumeMetadataKey${family}`,
      action: "volume:volumes:update",
      successStatus: 200,
      schema: { params: keyParams },
      async handler({ params }, caller, context) {
        const volumeId = volumeIdOf(params);
        const volume = await showVolume(context, caller, { volumeId });
        const key = params["key"] ?? "";
        if (!Object.hasOwn(volume.metadata, key))
          throw new DomainError("volumeNotFound", `Metadata key ${JSON.stringify(key.slice(0, 64))} could not be found.`);
        const { [key]: _gone, ...metadata } = volume.metadata;
        await updateVolume(context, caller, { volumeId, metadata });
        return {};
      },
    }),
  ];
}
