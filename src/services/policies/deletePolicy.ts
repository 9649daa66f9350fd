import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findPolicy } from "../support/find.ts";
import { refuseOrganizations } from "./updatePolicy.ts";

/**
 * Deletes a policy and takes it off its vaults; what it has made stays.
 * @throws DomainError `policyNotFound`, `forbidden`
 */
export async function deletePolicy(context: Context, caller: Caller, input: { policyId: Id }): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    const policy = await findPolicy(tables, caller, input.policyId);
    refuseOrganizations(policy);
    await tables.policies.remove(policy.id);
  });
}
