import type { VaultSummary } from "#catalog/vault-table.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";

/** What all vaults of the project together may hold, and what their backups take. */
export const showVaultSummary = (context: Context, caller: Caller): Promise<VaultSummary> => context.catalog.vaults.summary(caller.projectId);
