import { sql } from "kysely";
import type { Id, ProjectId } from "#model/ids.ts";
import type { ResourceType } from "#model/resource.ts";
import { allOf, equals } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { Listed, Page } from "./tables.ts";

/** Backups of one resource, in whatever vaults. */
export interface ResourceUsage {
  resourceId: Id;
  resourceType: ResourceType;
  backupCount: number;
  storedBytes: number;
}

/** A server backup is the sum of its disks' backups, as in a vault's figures. */
export async function usageByResource(
  db: Db,
  projectId: ProjectId,
  { resourceId, resourceType }: { resourceId?: Id; resourceType?: string },
  { limit, offset }: Page,
): Promise<Listed<ResourceUsage>> {
  const wanted = allOf([
    sql`b.project_id = ${projectId}`,
    sql`b.parent_id is null`,
    ...equals("b.resource_id", resourceId),
    ...equals("b.resource_type", resourceType),
  ]);
  const own = sql`case when b.resource_type <> 'OS::Nova::Server' then b.stored_bytes
    else (select coalesce(sum(c.stored_bytes), 0) from backups c where c.parent_id = b.id) end`;
  const counted = await sql<{ count: number }>`select count(distinct b.resource_id) as count from backups b where ${wanted}`.execute(db.read);
  const found = await sql<ResourceUsage>`
    select b.resource_id as "resourceId", min(b.resource_type) as "resourceType", count(*) as "backupCount",
      cast(sum(${own}) as bigint) as "storedBytes"
    from backups b where ${wanted} group by b.resource_id order by b.resource_id limit ${limit} offset ${offset}`.execute(db.read);
  return { items: found.rows.map((row) => ({ ...row })), count: counted.rows[0]!.count };
}
