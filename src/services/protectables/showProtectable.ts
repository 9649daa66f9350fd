import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { ResourceType } from "#model/resource.ts";
import type { Context } from "../context.ts";
import { findServer, findVolume } from "../support/find.ts";
import { type ProtectableView, protectableViewer } from "./viewProtectable.ts";

/** @throws DomainError `serverNotFound`, `volumeNotFound` */
export async function showProtectable(context: Context, caller: Caller, input: { type: ResourceType; id: Id }): Promise<ProtectableView> {
  const { catalog } = context;
  const resource = input.type === "OS::Nova::Server" ? await findServer(catalog, caller, input.id) : await findVolume(catalog, caller, input.id);
  return protectableViewer(context)(resource);
}
