import type { Member } from "#model/member.ts";
import { naiveUtc, naiveUtcOrNull } from "#model/timestamps.ts";

/** A share as CBR v3 shows it. `image_id` is always null: there is no image service here that could make one of a backup. */
export function renderMember(member: Member) {
  return {
    id: member.id,
    backup_id: member.backupId,
    dest_project_id: member.destProjectId,
    status: member.status,
    vault_id: member.vaultId,
    image_id: null,
    created_at: naiveUtc(member.createdAt),
    updated_at: naiveUtcOrNull(member.updatedAt),
  };
}
