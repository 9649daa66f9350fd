import type { OrganizationPolicy } from "#model/policy.ts";
import { createCodec } from "./codec.ts";
import { equals, newestFirst, selectPage } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { OrganizationPolicyTable } from "./tables.ts";

const organizationPolicies = createCodec<OrganizationPolicy>({
  id: "plain",
  domainId: "plain",
  name: "plain",
  description: "plain",
  scope: "json",
  operationType: "plain",
  policyName: "plain",
  policyEnabled: "flag",
  definition: "json",
  schedule: "json",
  userId: "plain",
  createdAt: "plain",
  updatedAt: "plain",
});

export function createOrganizationPolicyTable(db: Db): OrganizationPolicyTable {
  return {
    async insert(policy) {
      await db.write.insertInto("organization_policies").values(organizationPolicies.toRow(policy)).execute();
    },
    async get(domainId, id) {
      const row = await db.read
        .selectFrom("organization_policies")
        .selectAll()
        .where("id", "=", id)
        .where("domain_id", "=", domainId)
        .executeTakeFirst();
      return row && organizationPolicies.fromRow(row);
    },
    async list(filter, page) {
      const { items, count } = await selectPage<object>(db.read, {
        table: "organization_policies",
        visible: equals("domain_id", filter.domainId),
        filter: equals("operation_type", filter.operationType),
        orders: newestFirst,
        page,
      });
      return { items: items.map(organizationPolicies.fromRow), count };
    },
    async update(id, patch) {
      const columns = organizationPolicies.toPatch(patch);
      if (Object.keys(columns).length > 0) await db.write.updateTable("organization_policies").set(columns).where("id", "=", id).execute();
    },
    async remove(id) {
      await db.write.deleteFrom("organization_policies").where("id", "=", id).execute();
    },
  };
}
