import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { VaultView } from "../views.ts";
import type { Id } from "#model/ids.ts";
import type { ResourceType } from "#model/resource.ts";
import type { VaultObjectType, Tag } from "#model/vault.ts";
import { InvariantError } from "#platform/invariant.ts";

export interface VaultResourceInput {
  id: Id;
  type: ResourceType;
  name?: string;
  excludeVolumes?: Id[];
}
export interface CreateVaultInput {
  name: string;
  description?: string | null;
  sizeGib: number;
  objectType: VaultObjectType;
  protectType: "backup" | "replication";
  consistentLevel: "crash_consistent" | "app_consistent";
  cloudType?: "public" | "hybrid";
  chargingMode?: "post_paid" | "pre_paid";
  isMultiAz?: boolean;
  enterpriseProjectId?: string;
  resources: VaultResourceInput[];
  tags?: Tag[];
  autoBind?: boolean;
  autoExpand?: boolean;
  bindRules?: { tags?: Tag[] };
  smnNotify?: boolean;
  threshold?: number;
  locked?: boolean;
  availabilityZone?: string | null;
  backupNamePrefix?: string | null;
}

export async function createVault(_context: Context, _caller: Caller, _input: CreateVaultInput): Promise<VaultView> {
  throw new InvariantError("createVault is being written");
}
