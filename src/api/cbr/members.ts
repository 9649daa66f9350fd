import { Type } from "@sinclair/typebox";
import type { MemberFilter } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { maxMembers, memberStatuses } from "#model/member.ts";
import { addMember } from "#services/members/addMember.ts";
import { deleteMember } from "#services/members/deleteMember.ts";
import { showMemberDetail } from "#services/members/showMemberDetail.ts";
import { showMembersDetail } from "#services/members/showMembersDetail.ts";
import { updateMemberStatus } from "#services/members/updateMemberStatus.ts";
import { defineRoute } from "../http/route.ts";
import { one, page, type Query, sorts } from "../query.ts";
import { backupIdOf } from "./backups.ts";
import { renderMember } from "./render-member.ts";
import { idSchema, maybe, paramsSchema, querySchema } from "./schemas.ts";

/** A receiver's project id; what is none names no member. */
function memberIdOf(params: Readonly<Record<string, string>>): string {
  return (params["member_id"] ?? "").slice(0, 64);
}

/** The filter of a list, or undefined when it can match nothing: no share has made an image. */
function readFilter(query: Query): MemberFilter | undefined {
  const destProjectId = one(query, "dest_project_id");
  const vaultId = one(query, "vault_id");
  const wanted = one(query, "status");
  const status = memberStatuses.find((each) => each === wanted);
  if (one(query, "image_id") !== undefined || (wanted !== undefined && status === undefined)) return undefined;
  return {
    ...(destProjectId === undefined ? {} : { destProjectId }),
    ...(vaultId === undefined ? {} : { vaultId }),
    ...(status === undefined ? {} : { status }),
  };
}

const sortKeys = { created_at: "created_at", updated_at: "updated_at", status: "status", id: "id" } as const;
const members = paramsSchema("project_id", "backup_id");
const member = paramsSchema("project_id", "backup_id", "member_id");

const addBody = Type.Object({
  members: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: maxMembers }),
  domains: maybe(Type.Array(Type.String({ maxLength: 64 }))),
});
const updateBody = Type.Object({ status: Type.String({ maxLength: 64 }), vault_id: maybe(idSchema) });

export const memberRoutes = [
  defineRoute({
    method: "POST",
    path: "/backups/:backup_id/members",
    operation: "AddMember",
    action: "cbr:member:create",
    successStatus: 200,
    schema: { params: members, body: addBody },
    async handler({ params, body }, caller, context) {
      if ((body.domains?.length ?? 0) > 0)
        throw new DomainError("sharingNotPermitted", "domains: a backup is shared with projects, not with domains", { field: "domains" });
      const added = await addMember(context, caller, { backupId: backupIdOf(params), projectIds: body.members });
      return { body: { members: added.map(renderMember), count: added.length } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/members",
    operation: "ShowMembersDetail",
    action: "cbr:member:list",
    successStatus: 200,
    schema: {
      params: members,
      querystring: querySchema(["limit", "offset", "marker", "sort", "dest_project_id", "image_id", "status", "vault_id"]),
    },
    async handler({ params, query }, caller, context) {
      const wanted = page(query, { max: 1000 });
      const sort = sorts(one(query, "sort"), "sort", sortKeys, "desc");
      const filter = readFilter(query);
      const backupId = backupIdOf(params);
      // Whether there is such a backup is told whatever is asked of it.
      const listed = await showMembersDetail(context, caller, { backupId, filter: filter ?? {}, page: wanted, sort });
      const { items, count } = filter === undefined ? { items: [], count: 0 } : listed;
      return { body: { members: items.map(renderMember), count, limit: wanted.limit, offset: wanted.offset } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/backups/:backup_id/members/:member_id",
    operation: "ShowMemberDetail",
    action: "cbr:member:get",
    successStatus: 200,
    schema: { params: member },
    async handler({ params }, caller, context) {
      return {
        body: { member: renderMember(await showMemberDetail(context, caller, { backupId: backupIdOf(params), memberId: memberIdOf(params) })) },
      };
    },
  }),
  defineRoute({
    method: "PUT",
    path: "/backups/:backup_id/members/:member_id",
    operation: "UpdateMemberStatus",
    action: "cbr:member:update",
    successStatus: 200,
    schema: { params: member, body: updateBody },
    async handler({ params, body }, caller, context) {
      const status = memberStatuses.find((each) => each === body.status);
      if (status === undefined) throw new DomainError("memberInvalid", `status: must be one of ${memberStatuses.join(", ")}`, { field: "status" });
      const changed = await updateMemberStatus(context, caller, {
        backupId: backupIdOf(params),
        memberId: memberIdOf(params),
        status,
        ...(body.vault_id ? { vaultId: body.vault_id } : {}),
      });
      return { body: { member: renderMember(changed) } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/backups/:backup_id/members/:member_id",
    operation: "DeleteMember",
    action: "cbr:member:delete",
    successStatus: 204,
    schema: { params: member },
    async handler({ params }, caller, context) {
      await deleteMember(context, caller, { backupId: backupIdOf(params), memberId: memberIdOf(params) });
      return {};
    },
  }),
];
