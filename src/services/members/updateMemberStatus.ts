import type { Tables } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { Member, MemberStatus } from "#model/member.ts";
import { objectTypeOf } from "#model/provider.ts";
import type { Context } from "../context.ts";
import { fillOf, settleUsage } from "../support/capacity.ts";
import { findMember } from "../support/find-member.ts";
import { findVault } from "../support/find.ts";
import { isReadableStatus, stopReceivedRestores } from "../support/shares.ts";

export interface UpdateMemberStatusInput {
  backupId: Id;
  memberId: ProjectId;
  status: MemberStatus;
  /** Where the receiver keeps it: needed to accept, else passed over. */
  vaultId?: Id;
}

/**
 * The receiver's answer to a share, which it may change at any time. Accepted, it counts in the receiver's vault; what is not accepted any more
 * leaves it, and restores from it are stopped.
 * @throws DomainError `backupNotFound`, `memberNotFound`, `memberInvalid`, `memberChangeFailed`, `vaultNotFound`, `receivingVaultMismatch`
 */
export async function updateMemberStatus(context: Context, caller: Caller, input: UpdateMemberStatusInput): Promise<Member> {
  return context.catalog.transaction(async (tables) => {
    const member = await findMember(tables, caller, input.backupId, input.memberId);
    if (member.destProjectId !== caller.projectId)
      throw new DomainError("memberChangeFailed", `Only project ${member.destProjectId} can answer what was shared with it.`);
    const now = context.clock.nowUs();
    const vaultId = input.status === "accepted" ? await receivingVault(tables, caller, member, input.vaultId) : null;
    if (vaultId === null) await stopReceivedRestores(tables, member.backupId, now, member.destProjectId);
    const changed: Member = { ...member, status: input.status, vaultId, updatedAt: now };
    const before = vaultId === null ? undefined : await fillOf(tables, caller.projectId, vaultId);
    await tables.members.update(member.id, changed);
    await settleUsage(context, tables, before).catch((error: unknown) => {
      if (!(error instanceof DomainError) || error.code !== "vaultFull") throw error;
      throw new DomainError("memberChangeFailed", `vault_id: ${error.message}`, { field: "vault_id" });
    });
    return changed;
  });
}

async function receivingVault(tables: Tables, caller: Caller, member: Member, vaultId: Id | undefined): Promise<Id> {
  if (vaultId === undefined || !isUuid(vaultId))
    throw new DomainError("memberInvalid", "vault_id: the id of a vault is needed to accept a backup", { field: "vault_id" });
  const backup = await sharedBackup(tables, member);
  const vault = await findVault(tables, caller, vaultId);
  if (vault.objectType !== objectTypeOf[backup.resourceType] || vault.protectType !== "backup") {
    const kind = `${vault.protectType} vault for ${vault.objectType}`;
    throw new DomainError("receivingVaultMismatch", `vault_id: a ${kind} does not take a backup of ${backup.resourceType}`, { field: "vault_id" });
  }
  if (vault.status !== "available")
    throw new DomainError("memberChangeFailed", `vault_id: vault ${vault.id} is ${vault.status}, not available`, { field: "vault_id" });
  return vault.id;
}

async function sharedBackup(tables: Tables, member: Member): Promise<Backup> {
  const backup = await tables.backups.get(member.projectId, member.backupId);
  if (backup === undefined || !isReadableStatus(backup.status))
    throw new DomainError("memberChangeFailed", `Backup ${member.backupId} is ${backup?.status ?? "gone"}; only an available one can be accepted.`);
  return backup;
}
