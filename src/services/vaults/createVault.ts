import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Tag, Vault, VaultObjectType } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { autoBindAll } from "../support/auto-bind.ts";
import { applyPolicy } from "../support/apply-policy.ts";
import { bindResources } from "../support/bindings.ts";
import type { VaultResourceInput } from "../support/bindings.ts";
import { checkDescription, checkName, checkWholeNumber, checkZone } from "../support/checks.ts";
import { findPolicy } from "../support/find.ts";
import { viewVault } from "../support/protection.ts";
import { checkTags, maxVaultTags } from "../support/tags.ts";
import { checkBindRules, checkConsistentLevel, checkVaultSize } from "../support/vault-rules.ts";
import type { VaultView } from "../views.ts";

export type { VaultResourceInput } from "../support/bindings.ts";

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
  /** A backup policy to apply. */
  backupPolicyId?: Id | null;
}

/**
 * A new vault, with the resources that it protects from the start, and those that it binds by itself.
 * @throws DomainError `invalidRequest`, `vaultSizeInvalid`, `vaultNotApplicationConsistent`, `policyNotFound`, `policyNotApplicable`, and what
 * {@link bindResources} throws
 */
export async function createVault(context: Context, caller: Caller, input: CreateVaultInput): Promise<VaultView> {
  refuseUnsupported(input);
  const vault = vaultRow(context, caller, input);
  return context.catalog.transaction(async (tables) => {
    await tables.vaults.insert(vault);
    await bindResources(tables, caller, vault, input.resources);
    const { allocatedGib } = await tables.vaults.usage(vault.id);
    if (allocatedGib > vault.sizeGib) {
      throw new DomainError("vaultSizeInvalid", `size: ${vault.sizeGib} GB is less than the ${allocatedGib} GB of the resources`, { field: "size" });
    }
    if (vault.autoBind) await autoBindAll(context, tables, vault.projectId, vault.objectType);
    if (input.backupPolicyId) {
      const policy = await findPolicy(tables, caller, input.backupPolicyId);
      if (policy.operationType !== "backup") {
        throw new DomainError("policyNotApplicable", `backup_policy_id: policy ${policy.id} is no backup policy`, { field: "backup_policy_id" });
      }
      await applyPolicy(context, tables, vault, policy, null);
    }
    return viewVault(tables, vault);
  });
}

/** What would promise something that does not happen is refused. */
function refuseUnsupported(input: CreateVaultInput): void {
  const refused = (field: string, says: string): DomainError => new DomainError("invalidRequest", `${field}: ${says}`, { field });
  checkConsistentLevel(input.consistentLevel);
  if (input.chargingMode === "pre_paid") throw refused("charging_mode", "there is nothing to pay for in advance");
  if (input.isMultiAz === true) throw refused("is_multi_az", "backups are kept in one zone");
}

function vaultRow(context: Context, caller: Caller, input: CreateVaultInput): Vault {
  const prefix = input.backupNamePrefix ?? null;
  if (prefix !== null && checkName(prefix, "backup_name_prefix").length > 32) {
    throw new DomainError("invalidRequest", "backup_name_prefix: must be at most 32 characters long", { field: "backup_name_prefix" });
  }
  return {
    id: context.random.uuid(),
    projectId: caller.projectId,
    userId: caller.userId,
    name: checkName(input.name, "name"),
    description: checkDescription(input.description, "description"),
    enterpriseProjectId: input.enterpriseProjectId ?? "0",
    objectType: input.objectType,
    protectType: input.protectType,
    consistentLevel: input.consistentLevel,
    cloudType: input.cloudType ?? "public",
    chargingMode: "post_paid",
    isMultiAz: false,
    sizeGib: checkVaultSize(context.settings, input.sizeGib),
    status: "available",
    autoBind: input.autoBind ?? false,
    autoExpand: input.autoExpand ?? false,
    smnNotify: input.smnNotify ?? true,
    threshold: checkWholeNumber(input.threshold ?? 80, "threshold", 1, 100),
    locked: input.locked ?? false,
    bindRules: checkBindRules(input.bindRules),
    tags: checkTags(input.tags ?? [], "tags", maxVaultTags),
    availabilityZone:
      input.availabilityZone === undefined || input.availabilityZone === null ? null : checkZone(input.availabilityZone, "availability_zone"),
    backupNamePrefix: prefix,
    implicit: false,
    createdAt: context.clock.nowUs(),
    updatedAt: null,
  };
}
