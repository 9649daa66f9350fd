import type { FastifyRequest } from "fastify";
import type { CredentialKind } from "#model/audit.ts";
import { isReadAction } from "#model/caller.ts";
import { isProjectId } from "#model/ids.ts";
import type { AuditedCall, AuditOutcome } from "#services/audit/auditTrail.ts";
import type { Principal } from "../auth/principal.ts";
import type { Answer, Route } from "./route.ts";
import type { RegisteredRoute } from "./runtime.ts";

/** The names of the cloud's trace service, by operation. */
export const publishedEvents: Readonly<Record<string, string>> = {
  CreatePolicy: "createPolicy",
  UpdatePolicy: "updatePolicy",
  DeletePolicy: "deletePolicy",
  AssociateVaultPolicy: "associatePolicy",
  DisassociateVaultPolicy: "dissociatePolicy",
  CreateVault: "createVault",
  UpdateVault: "updateVault",
  DeleteVault: "deleteVault",
  AddVaultResource: "addResources",
  RemoveVaultResource: "removeResources",
  SetVaultResource: "setResources",
  MigrateVaultResource: "migrateResources",
  CreateCheckpoint: "createVaultBackup",
  CopyCheckpoint: "replicateVaultBackup",
  ImportCheckpoint: "syncVaultBackup",
  CreateBackupV2: "createBackup",
  CreateBackupV3: "createBackup",
  DeleteBackup: "deleteBackup",
  DeleteBackupV2: "deleteBackup",
  DeleteBackupV3: "deleteBackup",
  RestoreBackup: "restoreBackup",
  RestoreBackupV2: "restoreBackup",
  RestoreBackupV3: "restoreBackup",
  CopyBackup: "replicateBackup",
  ImportBackup: "syncBackup",
  UpdateBackup: "updateBackup",
  AddMember: "createBackupMember",
  UpdateMemberStatus: "updateBackupMember",
  DeleteMember: "deleteBackupMember",
  CreateVaultTags: "createVaultTag",
  DeleteVaultTag: "deleteVaultTag",
  BatchCreateAndDeleteVaultTags: "bulkCreateDeleteVaultTag",
};

/** Whether calls of a route are in the audit log: all that may change something. */
export const isAudited = ({ method, action }: Pick<Route, "method" | "action">): boolean =>
  method !== "GET" && method !== "HEAD" && !isReadAction(action);

/** Parameters that name something else than a thing of the project. */
const notThings = new Set(["project_id", "domain_id"]);
const typeNames: Readonly<Record<string, string>> = { operation_log: "task", job: "task" };
const typeOf = (name: string): string => typeNames[name] ?? name;

/**
 * The first thing that the path names: `/backups/:backup_id/members/:member_id` is about a backup, `identity:projects:delete` of an `:id` about
 * a project.
 */
function thingIn(params: Readonly<Record<string, string>>, action: string): { type: string; id: string } | undefined {
  for (const [name, id] of Object.entries(params)) {
    if (name === "id" || name === "access") return { type: (action.split(":")[1] ?? "").replace(/s$/, ""), id: id.slice(0, 255) };
    if (name.endsWith("_id") && !notThings.has(name)) return { type: typeOf(name.slice(0, -3)), id: id.slice(0, 255) };
  }
  return undefined;
}

function credentialOf({ token, accessKey }: Principal): { credential: CredentialKind; credentialId: string | null } {
  if (token !== undefined) return { credential: "token", credentialId: token.id };
  if (accessKey === undefined) return { credential: "none", credentialId: null };
  return { credential: accessKey.isTemporary ? "temporaryAccessKey" : "accessKey", credentialId: accessKey.id };
}

const projectOf = ({ scope }: Principal): string => (scope.kind === "project" ? scope.projectId : "");

/** What is known of a call from its route, its path and who makes it; nothing of its body or query. */
export function auditedCall({ dialect, route }: RegisteredRoute, request: FastifyRequest, principal: Principal | undefined): AuditedCall {
  const params = request.params as Record<string, string>;
  const inPath = params["project_id"];
  const target = inPath !== undefined && isProjectId(inPath) ? inPath : null;
  const thing = thingIn(params, route.action);
  const who = principal ?? { userId: "", userName: "", domainId: "", scope: { kind: "unscoped" }, roles: [], token: undefined };
  return {
    projectId: principal === undefined ? (target ?? "") : projectOf(principal),
    targetProjectId: target,
    userId: who.userId,
    userName: who.userName,
    domainId: who.domainId,
    ...credentialOf(who),
    dialect,
    operation: route.operation,
    action: route.action,
    event: publishedEvents[route.operation] ?? null,
    resourceType: thing?.type ?? null,
    resourceId: thing?.id ?? null,
    resourceName: null,
    requestId: request.id,
    // Of a connection that is gone by now there is none, whatever the type says.
    address: request.ip ?? "",
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value.slice(0, 255) : undefined);

/** What an answer tells of the thing that a call was about: of a creation its id and name, of a change its new name. */
export function learnedFrom(call: AuditedCall, answer: Answer): NonNullable<AuditOutcome["learned"]> {
  const { provenAs, body } = answer;
  const who =
    provenAs === undefined
      ? {}
      : { projectId: projectOf(provenAs), userId: provenAs.userId, userName: provenAs.userName, domainId: provenAs.domainId };
  if (body === undefined || body instanceof Uint8Array) return who;
  for (const [key, value] of Object.entries(body) as [string, unknown][]) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
    const { id, name } = value as Record<string, unknown>;
    const [thingId, thingName] = [textOf(id), textOf(name)];
    if (thingId === undefined || (call.resourceId !== null && call.resourceId !== thingId)) continue;
    return {
      ...who,
      resourceType: call.resourceType ?? typeOf(key),
      resourceId: thingId,
      ...(thingName === undefined ? {} : { resourceName: thingName }),
    };
  }
  return who;
}
