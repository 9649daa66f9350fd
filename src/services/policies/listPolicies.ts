import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { PolicyOperation } from "#model/policy.ts";
import type { Context } from "../context.ts";
import type { PolicyView } from "../views.ts";

/** Every policy of the project that the filter wants, newest first. */
export async function listPolicies(
  { catalog }: Context,
  caller: Caller,
  filter: { operationType?: PolicyOperation; vaultId?: Id },
): Promise<PolicyView[]> {
  const views: PolicyView[] = [];
  for (const policy of await catalog.policies.list(caller.projectId, filter)) {
    views.push({ policy, vaults: await catalog.policies.vaultsOf(policy.id) });
  }
  return views;
}
