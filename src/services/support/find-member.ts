import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Member } from "#model/member.ts";

/** What a caller may know of the shares of a backup: its owner all of them, a receiver, whatever it has answered, only its own. */
export type Standing = { as: "owner"; backup: Backup } | { as: "receiver"; share: Member };

/** @throws DomainError `backupNotFound` for everybody else */
export async function standingOf(tables: Tables, caller: Caller, backupId: Id): Promise<Standing> {
  const backup = await tables.backups.get(caller.projectId, backupId);
  if (backup !== undefined) return { as: "owner", backup };
  const share = await tables.members.get(backupId, caller.projectId);
  if (share !== undefined) return { as: "receiver", share };
  throw new DomainError("backupNotFound", `There is no backup ${backupId} in this project.`);
}

/** @throws DomainError `backupNotFound`, `memberNotFound` */
export async function findMember(tables: Tables, caller: Caller, backupId: Id, receiver: ProjectId): Promise<Member> {
  const standing = await standingOf(tables, caller, backupId);
  const own = standing.as === "receiver" ? standing.share : await tables.members.get(backupId, receiver);
  if (own !== undefined && own.destProjectId === receiver) return own;
  throw new DomainError("memberNotFound", `Backup ${backupId} is not shared with project ${receiver}.`);
}
