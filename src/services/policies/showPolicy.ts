import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findPolicy } from "../support/find.ts";
import type { PolicyView } from "../views.ts";

/** @throws DomainError `policyNotFound` */
export async function showPolicy({ catalog }: Context, caller: Caller, input: { policyId: Id }): Promise<PolicyView> {
  return { policy: await findPolicy(catalog, caller, input.policyId), vaults: await catalog.policies.vaultsOf(input.policyId) };
}
