import type { Listed } from "#catalog/tables.ts";
import type { VaultFilter } from "#catalog/vault-table.ts";
import type { Caller } from "#model/caller.ts";
import { matchesTags, type TagFilter } from "#model/tag-filter.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { allVaults } from "../support/find.ts";
import { viewVault } from "../support/protection.ts";
import type { VaultView } from "../views.ts";

export interface InstanceFilter extends TagFilter, Pick<VaultFilter, "cloudType" | "objectType"> {
  /** Part of the name, whatever the case of its Latin letters. The empty text means vaults without a name, and every vault has one. */
  nameContains?: string;
}

const latinLower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function isWanted(vault: Vault, { nameContains }: InstanceFilter): boolean {
  if (nameContains === undefined) return true;
  return nameContains !== "" && latinLower(vault.name).includes(latinLower(nameContains));
}

/** The vaults of the project that satisfy the filter, newest first, and how many there are in all. Without a page only the number is told. */
export async function showVaultResourceInstances(
  context: Context,
  caller: Caller,
  input: { filter: InstanceFilter; page?: { limit: number; offset: number } },
): Promise<Listed<VaultView>> {
  const { filter, page } = input;
  const { cloudType, objectType } = filter;
  const among = await allVaults(context.catalog, caller, { ...(cloudType ? { cloudType } : {}), ...(objectType ? { objectType } : {}) });
  const found = among.filter((vault) => isWanted(vault, filter) && matchesTags(vault.tags, filter));
  const items: VaultView[] = [];
  if (page !== undefined) {
    for (const vault of found.slice(page.offset, page.offset + page.limit)) items.push(await viewVault(context.catalog, vault));
  }
  return { items, count: found.length };
}
