import type { Listed, MemberFilter, Page, Sort } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Member } from "#model/member.ts";
import type { Context } from "../context.ts";
import { standingOf } from "../support/find-member.ts";

export interface ShowMembersDetailInput {
  backupId: Id;
  filter: MemberFilter;
  page: Page;
  sort?: Sort<"created_at" | "updated_at" | "id" | "status">[];
}

/** Who a backup is shared with, newest first. A receiver sees only itself. @throws DomainError `backupNotFound` */
export async function showMembersDetail(context: Context, caller: Caller, input: ShowMembersDetailInput): Promise<Listed<Member>> {
  const { backupId, filter, page, sort } = input;
  const { as } = await standingOf(context.catalog, caller, backupId);
  if (as === "owner") return context.catalog.members.list(backupId, filter, page, sort);
  if (filter.destProjectId !== undefined && filter.destProjectId !== caller.projectId) return { items: [], count: 0 };
  return context.catalog.members.list(backupId, { ...filter, destProjectId: caller.projectId }, page, sort);
}
