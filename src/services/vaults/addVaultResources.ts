import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { bindResources } from "../support/bindings.ts";
import type { VaultResourceInput } from "../support/bindings.ts";
import { findVault } from "../support/find.ts";

/**
 * Binds further resources to a vault: all of them or, when one is refused, none. Tells their ids.
 * @throws DomainError `vaultNotFound`, `vaultStatusForbids`, `vaultFull` when their sizes exceed the capacity, and what {@link bindResources} throws
 */
export async function addVaultResources(context: Context, caller: Caller, input: { vaultId: Id; resources: VaultResourceInput[] }): Promise<Id[]> {
  if (input.resources.length === 0) throw new DomainError("invalidRequest", "resources: at least one is needed", { field: "resources" });
  return context.catalog.transaction(async (tables) => {
    const vault = await findVault(tables, caller, input.vaultId);
    if (vault.status !== "available")
      throw new DomainError("vaultStatusForbids", `Vault ${vault.id} is ${vault.status}; adding resources needs it available.`);
    await bindResources(tables, caller, vault, input.resources);
    const { allocatedGib } = await tables.vaults.usage(vault.id);
    if (allocatedGib > vault.sizeGib) {
      throw new DomainError("vaultFull", `resources: together they would be ${allocatedGib} GB, the vault has ${vault.sizeGib} GB`, {
        field: "resources",
      });
    }
    return input.resources.map((resource) => resource.id);
  });
}
