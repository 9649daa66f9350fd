import type { Tables } from "#catalog/tables.ts";
import { DomainError, errorKinds } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { Resource } from "#model/resource.ts";
import { bindRulesFit } from "#model/vault.ts";
import type { VaultObjectType } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { bindResources, maxVaultResources } from "./bindings.ts";

/**
 * Binds a resource that nothing protects to a vault that binds by itself: of those whose rules name one of its tags the oldest with room for it, else
 * of those without rules the oldest with room. To be called in the transaction that makes the resource, its tags, or the vault.
 */
export async function autoBind(context: Context, tables: Tables, resource: Resource): Promise<void> {
  if ((await tables.vaults.vaultOf(resource.id)) !== undefined) return;
  const fitting = (await tables.vaults.autoBinding(resource.projectId, objectTypeOf[resource.type])).filter((vault) =>
    bindRulesFit(vault, resource.tags),
  );
  const hasRules = fitting.filter((vault) => vault.bindRules.tags !== undefined);
  for (const vault of [...hasRules, ...fitting.filter((each) => !hasRules.includes(each))]) {
    const { allocatedGib } = await tables.vaults.usage(vault.id);
    const count = (await tables.vaults.resourcesOf(vault.id)).length;
    if (allocatedGib + resource.sizeGib > vault.sizeGib || count >= maxVaultResources) continue;
    try {
      await bindResources(tables, resource, vault, [{ id: resource.id, type: resource.type }]);
      context.log.info({ resourceId: resource.id, vaultId: vault.id }, "a resource was bound to a vault by itself");
    } catch (error) {
      // Such as a disk that is protected with its server: no other vault could take it either.
      if (!(error instanceof DomainError)) throw error;
      context.log.debug({ resourceId: resource.id, vaultId: vault.id, reason: error.message }, "a resource cannot be bound");
    }
    return;
  }
  if (fitting.length > 0) context.log.warn({ resourceId: resource.id, code: errorKinds.vaultsAtCapacity.cbr }, "no vault has room for a resource");
}

/** Binds every resource of a kind that nothing protects, the oldest first, where vaults bind by themselves. */
export async function autoBindAll(context: Context, tables: Tables, projectId: ProjectId, objectType: VaultObjectType): Promise<void> {
  const types = Object.entries(objectTypeOf).filter(([, kept]) => kept === objectType);
  for (const [type] of types) {
    for (const resource of await tables.resources.unprotected(projectId, type as Resource["type"])) await autoBind(context, tables, resource);
  }
}
