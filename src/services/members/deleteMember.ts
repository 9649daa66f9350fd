import type { Caller } from "#model/caller.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { findMember } from "../support/find-member.ts";
import { stopReceivedRestores } from "../support/shares.ts";

/**
 * Ends a share: the owner takes it back, or the receiver gives it up. The receiver loses the backup at once, restores from it are stopped.
 * @throws DomainError `backupNotFound`, `memberNotFound`
 */
export async function deleteMember(context: Context, caller: Caller, input: { backupId: Id; memberId: ProjectId }): Promise<void> {
  await context.catalog.transaction(async (tables) => {
    const member = await findMember(tables, caller, input.backupId, input.memberId);
    await stopReceivedRestores(tables, member.backupId, context.clock.nowUs(), member.destProjectId);
    await tables.members.remove(member.id);
  });
  context.wake();
}
