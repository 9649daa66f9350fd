import type { Server, Snapshot, Volume } from "#model/resource.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";
import { shownMetadata } from "./encryption.ts";
import { type BlockStorageBase, type Link, resourceLinks } from "./links.ts";

export interface VolumeRendering {
  base: BlockStorageBase;
  /** The N of 3.N. */
  minor: number;
  explicitVersion: boolean;
  /** Show what only administrators see. */
  isAdmin: boolean;
  /** Servers that the volume is a disk of. */
  servers: readonly Server[];
}

/** Where a volume is attached. The attachment has no id of its own: the server's stands for it. */
function attachments(volume: Volume, servers: readonly Server[]) {
  return servers.map((server) => ({
    id: volume.id,
    attachment_id: server.id,
    volume_id: volume.id,
    server_id: server.id,
    host_name: null,
    device: null,
    attached_at: naiveUtc(server.createdAt),
  }));
}

/**
 * A volume as Block Storage shows it: exactly the keys that strict clients accept, and those of the negotiated microversion.
 * `backup_id` is told only when no microversion was named: the clients that read it name none, and the strict ones refuse it.
 */
export function renderVolume(volume: Volume, rendering: VolumeRendering): Record<string, unknown> {
  const { base, minor, explicitVersion, isAdmin, servers } = rendering;
  const body: Record<string, unknown> = {
    id: volume.id,
    name: volume.name,
    description: volume.description,
    size: volume.sizeGib,
    status: volume.status,
    links: resourceLinks(base, volume.projectId, "volumes", volume.id),
    attachments: attachments(volume, servers),
    availability_zone: volume.availabilityZone,
    bootable: String(volume.bootable),
    encrypted: volume.encryption !== null,
    created_at: naiveUtc(volume.createdAt),
    updated_at: naiveUtcOrNull(volume.updatedAt),
    metadata: shownMetadata(volume),
    migration_status: null,
    multiattach: false,
    replication_status: null,
    snapshot_id: volume.sourceSnapshotId,
    source_volid: volume.sourceVolumeId,
    consistencygroup_id: null,
    user_id: volume.userId,
    volume_type: volume.volumeType,
  };
  if (isAdmin) body["os-vol-tenant-attr:tenant_id"] = volume.projectId;
  if (minor >= 13) body["group_id"] = null;
  if (minor >= 48) {
    body["service_uuid"] = null;
    body["shared_targets"] = false;
  }
  if (!explicitVersion && volume.sourceBackupId !== null) body["backup_id"] = volume.sourceBackupId;
  return body;
}

export function renderVolumeSummary(volume: Volume, base: BlockStorageBase): { id: string; name: string; links: Link[] } {
  return { id: volume.id, name: volume.name, links: resourceLinks(base, volume.projectId, "volumes", volume.id) };
}

/** A snapshot; `extended` adds what showing and detailed lists tell and creation must not. */
export function renderSnapshot(snapshot: Snapshot, options: { extended: boolean; minor: number }): Record<string, unknown> {
  const body: Record<string, unknown> = {
    id: snapshot.id,
    name: snapshot.name,
    description: snapshot.description,
    volume_id: snapshot.volumeId,
    status: snapshot.status,
    size: snapshot.sizeGib,
    metadata: snapshot.metadata,
    created_at: naiveUtc(snapshot.createdAt),
    updated_at: naiveUtcOrNull(snapshot.updatedAt),
  };
  if (options.extended) {
    body["os-extended-snapshot-attributes:progress"] = snapshot.status === "available" || snapshot.status === "deleting" ? "100%" : "0%";
    body["os-extended-snapshot-attributes:project_id"] = snapshot.projectId;
  }
  if (options.minor >= 14) body["group_snapshot_id"] = null;
  if (options.minor >= 41) body["user_id"] = snapshot.userId;
  return body;
}
