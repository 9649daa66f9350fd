import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findOrganizationPolicy, viewOrganizationPolicy } from "./spread.ts";
import type { OrganizationPolicyView } from "./spread.ts";

/** @throws DomainError `policyNotFound` */
export async function showOrganizationPolicy({ catalog }: Context, caller: Caller, input: { id: Id }): Promise<OrganizationPolicyView> {
  return viewOrganizationPolicy(catalog, await findOrganizationPolicy(catalog, caller.domainId, input.id));
}
