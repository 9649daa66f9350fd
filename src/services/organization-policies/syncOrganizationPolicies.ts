import type { Context } from "../context.ts";
import { spread, viewOrganizationPolicy } from "./spread.ts";

/** Gives organization policies to the projects that have come since. Tells how many got one. */
export async function syncOrganizationPolicies(context: Context): Promise<number> {
  const { catalog } = context;
  let given = 0;
  const { items } = await catalog.organizationPolicies.list({}, { limit: 10_000, offset: 0 });
  for (const policy of items) {
    if ((await viewOrganizationPolicy(catalog, policy)).isComplete) continue;
    given += await catalog.transaction(async (tables) => {
      const now = await tables.organizationPolicies.get(policy.domainId, policy.id);
      return now === undefined ? 0 : spread(context, tables, now);
    });
  }
  return given;
}
