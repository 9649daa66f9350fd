import { errorKinds } from "#model/errors.ts";
import type { Server, Volume } from "#model/resource.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import type { ProtectableView } from "#services/protectables/viewProtectable.ts";
import { renderVolume } from "../cinder/render-volume.ts";
import { renderVault } from "./render-vault.ts";

/** A registered server in the words of the compute service, as far as this service knows it: it has no flavour, address or power. */
export function renderServer(server: Server) {
  return {
    id: server.id,
    name: server.name,
    description: server.description,
    status: server.status.toUpperCase(),
    tenant_id: server.projectId,
    user_id: server.userId,
    created: naiveUtc(server.createdAt),
    updated: naiveUtcOrNull(server.updatedAt),
    metadata: server.architecture === null ? {} : { architecture: server.architecture },
    "OS-EXT-AZ:availability_zone": server.availabilityZone,
    "os-extended-volumes:volumes_attached": server.disks.map(({ volumeId, systemDisk }) => ({ id: volumeId, bootIndex: systemDisk ? 0 : null })),
  };
}

/** A volume in the words of Block Storage, with every key of its first microversion. */
export const renderDisk = (volume: Volume, servers: readonly Server[], baseUrl: string) =>
  renderVolume(volume, {
    base: { versioned: `${baseUrl}/volume/v3`, bare: `${baseUrl}/volume` },
    minor: 0,
    explicitVersion: true,
    isAdmin: false,
    servers,
  });

const renderResource = ({ id, name, type, sizeGib, status }: Server | Volume) => ({ id, name, type, size: sizeGib, status });

/** A resource, and whether it could be backed up now; `code` and `reason` are empty when it could. Sizes in GiB. */
export function renderProtectable({ resource, disks, refusal, vault }: ProtectableView, baseUrl: string) {
  const isServer = resource.type === "OS::Nova::Server";
  return {
    ...renderResource(resource),
    children: disks.map((disk) => ({ ...renderResource(disk), children: [], detail: renderDisk(disk, isServer ? [resource] : [], baseUrl) })),
    detail: isServer ? renderServer(resource) : renderDisk(resource, [], baseUrl),
    protectable: {
      result: refusal === null,
      code: refusal === null ? "" : errorKinds[refusal.code].cbr,
      reason: refusal?.reason ?? "",
      ...(refusal === null ? {} : { message: refusal.reason }),
      vault: vault === null ? null : renderVault(vault),
    },
  };
}
