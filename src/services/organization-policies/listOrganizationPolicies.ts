import type { Listed, Page } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { PolicyOperation } from "#model/policy.ts";
import type { Context } from "../context.ts";
import { viewOrganizationPolicy } from "./spread.ts";
import type { OrganizationPolicyView } from "./spread.ts";

/** The organization policies of the caller's domain, newest first. */
export async function listOrganizationPolicies(
  { catalog }: Context,
  caller: Caller,
  input: { operationType?: PolicyOperation; page: Page },
): Promise<Listed<OrganizationPolicyView>> {
  const { page, ...filter } = input;
  const listed = await catalog.organizationPolicies.list({ domainId: caller.domainId, ...filter }, page);
  const items: OrganizationPolicyView[] = [];
  for (const policy of listed.items) items.push(await viewOrganizationPolicy(catalog, policy));
  return { items, count: listed.count };
}
