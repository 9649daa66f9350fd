import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Tag, Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { noteVaultUsage } from "../events/noteVaultUsage.ts";
import { autoBindAll } from "../support/auto-bind.ts";
import { fillOf } from "../support/capacity.ts";
import { checkName, checkWholeNumber, gibBytes } from "../support/checks.ts";
import { findVault } from "../support/find.ts";
import { viewVault } from "../support/protection.ts";
import { checkBindRules, checkConsistentLevel, checkVaultSize } from "../support/vault-rules.ts";
import type { VaultView } from "../views.ts";

/** What is absent stays as it is. */
export interface UpdateVaultInput {
  vaultId: Id;
  name?: string;
  sizeGib?: number;
  consistentLevel?: Vault["consistentLevel"];
  autoBind?: boolean;
  /** Replaces what there is; no tags = no rule. */
  bindRules?: { tags?: Tag[] };
  autoExpand?: boolean;
  smnNotify?: boolean;
  threshold?: number;
  /** Only to true, and for good. */
  locked?: boolean;
}

/**
 * Changes a vault. A lock cannot be taken back.
 * @throws DomainError `vaultNotFound`, `vaultNotChangeable` (wrong status, or unlocking), `vaultSizeInvalid` (out of range, or less than what its
 * backups or resources take), `vaultNotApplicationConsistent`, `invalidRequest`
 */
export async function updateVault(context: Context, caller: Caller, input: UpdateVaultInput): Promise<VaultView> {
  const patch = patchOf(context, input);
  return context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status !== "available" && vault.status !== "lock")
      throw new DomainError("vaultNotChangeable", `Vault ${vault.id} is ${vault.status}; changing needs it available.`);
    if (vault.locked && input.locked === false)
      throw new DomainError("vaultNotChangeable", "locked: the vault not support to modify locked attribute from true to false.", {
        field: "locked",
      });
    const before = await fillOf(tables, vault.projectId, vault.id);
    if (patch.sizeGib !== undefined && patch.sizeGib < vault.sizeGib) await refuseTooSmall(tables, vault, patch.sizeGib);
    await tables.vaults.update(vault.id, patch);
    if (before !== undefined) await noteVaultUsage(context, tables, before);
    const changed = await findVault(tables, caller, vault.id);
    const takesMore = input.autoBind === true || input.bindRules !== undefined || changed.sizeGib > vault.sizeGib;
    if (changed.autoBind && takesMore) await autoBindAll(context, tables, vault.projectId, vault.objectType);
    return viewVault(tables, changed);
  });
}

function patchOf(context: Context, input: UpdateVaultInput): Partial<Vault> {
  const { name, sizeGib, consistentLevel, bindRules, threshold } = input;
  return {
    ...(name === undefined ? {} : { name: checkName(name, "name") }),
    ...(sizeGib === undefined ? {} : { sizeGib: checkVaultSize(context.settings, sizeGib) }),
    ...(consistentLevel === undefined ? {} : { consistentLevel: checkConsistentLevel(consistentLevel) }),
    ...(bindRules === undefined ? {} : { bindRules: checkBindRules(bindRules) }),
    ...(threshold === undefined ? {} : { threshold: checkWholeNumber(threshold, "threshold", 1, 100) }),
    ...(input.autoBind === undefined ? {} : { autoBind: input.autoBind }),
    ...(input.autoExpand === undefined ? {} : { autoExpand: input.autoExpand }),
    ...(input.smnNotify === undefined ? {} : { smnNotify: input.smnNotify }),
    ...(input.locked === undefined ? {} : { locked: input.locked }),
    updatedAt: context.clock.nowUs(),
  };
}

async function refuseTooSmall(tables: Tables, vault: Vault, sizeGib: number): Promise<void> {
  const { allocatedGib, usedBytes } = await tables.vaults.usage(vault.id);
  const needsGib = Math.max(allocatedGib, Math.ceil(usedBytes / gibBytes));
  if (sizeGib >= needsGib) return;
  const what = needsGib === allocatedGib ? "its resources have" : "its backups take";
  throw new DomainError("vaultSizeInvalid", `size: ${sizeGib} GB is less than the ${needsGib} GB that ${what}`, { field: "size" });
}
