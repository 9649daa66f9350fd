import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findOrganizationPolicy, release } from "./spread.ts";

/**
 * Deletes an organization policy. Where it is applied to a vault it goes on as the project's own, so that nothing loses its protection unseen.
 * @throws DomainError `policyNotFound`
 */
export async function deleteOrganizationPolicy(context: Context, caller: Caller, input: { id: Id }): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    const policy = await findOrganizationPolicy(tables, caller.domainId, input.id);
    for (const each of await tables.policies.ofOrganization(policy.id)) await release(context, tables, each);
    await tables.organizationPolicies.remove(policy.id);
  });
}
