import type { Context } from "../context.ts";
import type { Caller } from "#model/caller.ts";
import type { VaultView } from "../views.ts";
import type { VaultFilter, Page, Listed } from "#catalog/tables.ts";
import { InvariantError } from "#platform/invariant.ts";

export async function listVaults(_context: Context, _caller: Caller, _input: { filter: VaultFilter; page: Page }): Promise<Listed<VaultView>> {
  throw new InvariantError("listVaults is being written");
}
