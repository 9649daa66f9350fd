import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isProjectId } from "#model/ids.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { maxMembers } from "#model/member.ts";
import type { Member } from "#model/member.ts";
import type { Context } from "../context.ts";
import { findBackup } from "../support/find.ts";

/**
 * Offers a backup of a server or a disk to other projects: each is a member, pending until it answers. All or none.
 * @throws DomainError `backupNotFound`, `receivedNotShareable`, `backupNotShareable`, `shareStatusForbids`, `shareEncrypted`, `shareVaultForbids`,
 * `tooManyMembers`, `alreadyShared`, `memberProjectInvalid`
 */
export async function addMember(context: Context, caller: Caller, input: { backupId: Id; projectIds: ProjectId[] }): Promise<Member[]> {
  return context.catalog.transaction(async (tables) => {
    if ((await tables.members.accepted(caller.projectId, input.backupId)) !== undefined)
      throw new DomainError("receivedNotShareable", `Backup ${input.backupId} is another project's: who received it cannot share it.`);
    const backup = await findBackup(tables, caller, input.backupId);
    await refuseUnlessShareable(tables, backup);
    const before = await tables.members.list(backup.id, {}, { limit: 1, offset: 0 });
    if (before.count + input.projectIds.length > maxMembers)
      throw new DomainError("tooManyMembers", `members: a backup is shared with at most ${maxMembers} projects`, { field: "members" });
    const added: Member[] = [];
    for (const destProjectId of input.projectIds) {
      await refuseReceiver(tables, backup, destProjectId);
      const member: Member = {
        id: context.random.uuid(),
        backupId: backup.id,
        projectId: backup.projectId,
        destProjectId,
        status: "pending",
        vaultId: null,
        sizeBytes: backup.statistics?.dataBytes ?? 0,
        createdAt: context.clock.nowUs(),
        updatedAt: null,
      };
      await tables.members.insert(member);
      added.push(member);
    }
    return added;
  });
}

async function refuseUnlessShareable(tables: Tables, backup: Backup): Promise<void> {
  if (backup.parentId !== null)
    throw new DomainError("backupNotShareable", `Backup ${backup.id} is part of server backup ${backup.parentId}; it is shared with that one.`);
  const children = await tables.backups.children(backup.id);
  const idle = [backup, ...children].find((each) => each.status !== "available");
  if (idle !== undefined) throw new DomainError("shareStatusForbids", `Backup ${idle.id} is ${idle.status}; only an available one can be shared.`);
  if ([backup, ...children].some((each) => each.encrypted === true || each.encryption !== null))
    throw new DomainError("shareEncrypted", `Backup ${backup.id} is of an encrypted disk: its receiver could not use it.`);
  const vault = await tables.vaults.get(backup.projectId, backup.vaultId);
  if (vault !== undefined && vault.status !== "available" && vault.status !== "lock")
    throw new DomainError("shareVaultForbids", `Vault ${vault.id} is ${vault.status}; sharing needs it available.`);
}

async function refuseReceiver(tables: Tables, backup: Backup, projectId: ProjectId): Promise<void> {
  const invalid = (says: string): DomainError => new DomainError("memberProjectInvalid", `members: ${says}`, { field: "members" });
  if (!isProjectId(projectId)) throw invalid(`${JSON.stringify(projectId.slice(0, 64))} is not the id of a project`);
  if (projectId === backup.projectId) throw invalid("a backup is not shared with its own project");
  const project = await tables.identity.getProject(projectId);
  if (project === undefined || !project.enabled) throw invalid(`there is no project ${projectId} to share with`);
  if ((await tables.members.get(backup.id, projectId)) !== undefined)
    throw new DomainError("alreadyShared", `members: the backup is shared with project ${projectId} already`, { field: "members" });
}
