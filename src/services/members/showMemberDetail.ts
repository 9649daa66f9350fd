import type { Caller } from "#model/caller.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Member } from "#model/member.ts";
import type { Context } from "../context.ts";
import { findMember } from "../support/find-member.ts";

/** @throws DomainError `backupNotFound`, `memberNotFound` */
export async function showMemberDetail(context: Context, caller: Caller, input: { backupId: Id; memberId: ProjectId }): Promise<Member> {
  return findMember(context.catalog, caller, input.backupId, input.memberId);
}
