import type { Id, ProjectId, TimestampUs } from "./ids.ts";
import type { Tag } from "./vault.ts";

/** What can be protected, by the names that the wire uses. */
export type ResourceType = "OS::Nova::Server" | "OS::Cinder::Volume" | "OS::Sfs::Turbo";

/**
 * Where the bytes of a resource are.
 * `local:` + volume id: a sparse file of ours below the data folder. `file:` + absolute path: a file of the operator's below a configured root.
 * A server has none of its own: its disks do.
 */
export type Locator = `local:${string}` | `file:${string}`;

export type VolumeStatus =
  | "creating"
  | "available"
  | "in-use"
  | "backing-up"
  | "restoring-backup"
  | "deleting"
  | "error"
  | "error_restoring"
  | "error_deleting";

/** What a backup of an encrypted volume must keep to stay useful: without them its bytes cannot be read by anyone. */
export interface VolumeEncryption {
  /** Customer master key id, a UUID. */
  cmkId: Id;
  /** The wrapped volume key, 64 characters. */
  volumeKey: string;
}

interface ResourceCommon {
  id: Id;
  projectId: ProjectId;
  userId: string;
  name: string;
  description: string | null;
  /** Provisioned size in GiB; of a server, the sum of its disks. */
  sizeGib: number;
  availabilityZone: string;
  /** By which vaults bind it automatically. */
  tags: Tag[];
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}

export interface Volume extends ResourceCommon {
  type: "OS::Cinder::Volume";
  status: VolumeStatus;
  locator: Locator;
  volumeType: string;
  bootable: boolean;
  encryption: VolumeEncryption | null;
  metadata: Record<string, string>;
  /** What it was made from, if anything. */
  sourceSnapshotId: Id | null;
  sourceVolumeId: Id | null;
  sourceBackupId: Id | null;
}

export interface ServerDisk {
  volumeId: Id;
  /** The disk that the server boots from: at most one of a server. */
  systemDisk: boolean;
}

export interface Server extends ResourceCommon {
  type: "OS::Nova::Server";
  status: "active" | "deleted";
  /** CPU architecture, such as `x86_64`. */
  architecture: string | null;
  /** In device order. */
  disks: ServerDisk[];
}

export type Resource = Volume | Server;

export interface Snapshot {
  id: Id;
  projectId: ProjectId;
  userId: string;
  volumeId: Id;
  name: string | null;
  description: string | null;
  status: "creating" | "available" | "deleting" | "error";
  sizeGib: number;
  metadata: Record<string, string>;
  /** File below the data folder that holds the frozen bytes. */
  locator: Locator;
  /** How it was made: `reflink` shares blocks with the volume, `copy` does not. */
  method: "reflink" | "copy";
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}
