import type { Listed, Page } from "#catalog/tables.ts";
import type { VaultFilter } from "#catalog/vault-table.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { viewVault } from "../support/protection.ts";
import type { VaultView } from "../views.ts";

export async function listVaults(context: Context, caller: Caller, input: { filter: VaultFilter; page: Page }): Promise<Listed<VaultView>> {
  const listed = await context.catalog.vaults.list(caller.projectId, input.filter, input.page);
  const items: VaultView[] = [];
  for (const vault of listed.items) items.push(await viewVault(context.catalog, vault));
  return { items, count: listed.count };
}
