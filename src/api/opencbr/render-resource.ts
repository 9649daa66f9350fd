import type { Resource } from "#model/resource.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";

/** A registered resource: a volume, or a server with its disks in device order. Never the volume key of an encrypted volume. */
export function renderResource(resource: Resource) {
  const common = {
    id: resource.id,
    project_id: resource.projectId,
    user_id: resource.userId,
    type: resource.type,
    name: resource.name,
    description: resource.description,
    size: resource.sizeGib,
    status: resource.status,
    availability_zone: resource.availabilityZone,
    tags: resource.tags,
    created_at: naiveUtc(resource.createdAt),
    updated_at: naiveUtcOrNull(resource.updatedAt),
  };
  if (resource.type === "OS::Nova::Server") {
    return {
      ...common,
      architecture: resource.architecture,
      disks: resource.disks.map((disk) => ({ volume_id: disk.volumeId, system_disk: disk.systemDisk })),
    };
  }
  return {
    ...common,
    locator: resource.locator,
    volume_type: resource.volumeType,
    bootable: resource.bootable,
    encrypted: resource.encryption !== null,
    cmk_id: resource.encryption?.cmkId ?? null,
    metadata: resource.metadata,
  };
}
