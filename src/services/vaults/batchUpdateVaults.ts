import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { noteVaultUsage } from "../events/noteVaultUsage.ts";
import { checkWholeNumber } from "../support/checks.ts";

/**
 * Sets alerts of every vault of the project that is not being deleted; what is absent stays as it is. Tells the ids of those vaults.
 * @throws DomainError `invalidRequest` also when there is nothing to set
 */
export async function batchUpdateVaults(context: Context, caller: Caller, input: { smnNotify?: boolean; threshold?: number }): Promise<Id[]> {
  const { smnNotify, threshold } = input;
  if (smnNotify === undefined && threshold === undefined)
    throw new DomainError("invalidRequest", "vault: smn_notify or threshold is needed", { field: "vault" });
  const patch = {
    ...(smnNotify === undefined ? {} : { smnNotify }),
    ...(threshold === undefined ? {} : { threshold: checkWholeNumber(threshold, "threshold", 1, 100) }),
    updatedAt: context.clock.nowUs(),
  };
  return context.catalog.transaction(async (tables) => {
    const { items } = await tables.vaults.list(caller.projectId, {}, { limit: 1_000_000, offset: 0 });
    const vaults = items.filter((vault) => vault.status !== "deleting");
    for (const vault of vaults) {
      await tables.vaults.update(vault.id, patch);
      const { usedBytes } = await tables.vaults.usage(vault.id);
      await noteVaultUsage(context, tables, { vault, usedBytes });
    }
    return vaults.map((vault) => vault.id);
  });
}
