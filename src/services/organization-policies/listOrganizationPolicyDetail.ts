import type { Listed, Page } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Policy } from "#model/policy.ts";
import type { Context } from "../context.ts";
import { findOrganizationPolicy } from "./spread.ts";

/** The policies that the projects have of an organization policy, oldest first. @throws DomainError `policyNotFound` */
export async function listOrganizationPolicyDetail(
  { catalog }: Context,
  caller: Caller,
  input: { id: Id; page: Pick<Page, "limit" | "offset"> },
): Promise<Listed<Policy>> {
  const { id } = await findOrganizationPolicy(catalog, caller.domainId, input.id);
  const all = await catalog.policies.ofOrganization(id);
  const { limit, offset } = input.page;
  return { items: all.slice(offset, offset + limit), count: all.length };
}
