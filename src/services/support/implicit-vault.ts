import type { Tables } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Vault, VaultObjectType } from "#model/vault.ts";
import type { Context } from "../context.ts";

/** The vault that holds what came into a project without naming one: made when it is first needed. @throws DomainError `vaultStatusForbidsBackup` */
export async function implicitVault(
  context: Context,
  tables: Tables,
  caller: Pick<Caller, "projectId" | "userId">,
  objectType: VaultObjectType,
): Promise<Vault> {
  const found = await tables.vaults.findImplicit(caller.projectId, objectType);
  if (found !== undefined) {
    if (found.status === "available" || found.status === "lock") return found;
    throw new DomainError("vaultStatusForbidsBackup", `Vault ${found.id}, which holds what came in without a vault, is ${found.status}.`);
  }
  const vault: Vault = {
    id: context.random.uuid(),
    projectId: caller.projectId,
    userId: caller.userId,
    name: `implicit-${objectType}`,
    description: null,
    enterpriseProjectId: "0",
    objectType,
    protectType: "backup",
    consistentLevel: "crash_consistent",
    cloudType: "public",
    chargingMode: "post_paid",
    isMultiAz: false,
    sizeGib: context.settings.implicitVaultGib,
    status: "available",
    autoBind: false,
    autoExpand: false,
    smnNotify: false,
    threshold: 80,
    locked: false,
    bindRules: {},
    tags: [],
    availabilityZone: null,
    backupNamePrefix: null,
    implicit: true,
    createdAt: context.clock.nowUs(),
    updatedAt: null,
  };
  await tables.vaults.insert(vault);
  return vault;
}
