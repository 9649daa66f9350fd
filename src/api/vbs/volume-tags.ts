import { Type } from "@sinclair/typebox";
import type { Volume } from "#model/resource.ts";
import { setVolumeTags } from "#services/volumes/setVolumeTags.ts";
import { showVolume } from "#services/volumes/showVolume.ts";
import { volumeIdOf, volumeParams } from "../cinder/volumes.ts";
import { defineRoute } from "../http/route.ts";

const path = "/os-vendor-tags/volumes/:volume_id";
const body = Type.Object({ tags: Type.Record(Type.String({ maxLength: 127 }), Type.String({ maxLength: 255 })) });

const render = (volume: Volume) => ({ tags: Object.fromEntries(volume.tags.map(({ key, value }) => [key, value ?? ""])) });

/** A volume's tags as one map, replaced as a whole: what OTC's Terraform provider asks of EVS (EVS API reference, "EVS tag management"). */
export const volumeTagRoutes = [
  defineRoute({
    method: "GET",
    path,
    operation: "ShowVolumeTags",
    action: "volume:volumeTags:get",
    successStatus: 200,
    schema: { params: volumeParams },
    async handler({ params }, caller, context) {
      return { body: render(await showVolume(context, caller, { volumeId: volumeIdOf(params) })) };
    },
  }),
  defineRoute({
    method: "PUT",
    path,
    operation: "SetVolumeTags",
    action: "volume:volumeTags:set",
    successStatus: 200,
    schema: { params: volumeParams, body },
    async handler(request, caller, context) {
      const tags = Object.entries(request.body.tags).map(([key, value]) => ({ key, value }));
      return { body: render(await setVolumeTags(context, caller, { volumeId: volumeIdOf(request.params), tags })) };
    },
  }),
];
