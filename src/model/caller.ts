import type { ProjectId } from "./ids.ts";

export const roles = ["admin", "member", "reader"] as const;
export type Role = (typeof roles)[number];

/** Who is asking: the outcome of authentication, the same for every dialect. */
export interface Caller {
  userId: string;
  userName: string;
  projectId: ProjectId;
  domainId: string;
  roles: readonly Role[];
  requestId: string;
}

/** The verbs of the permission names (published `cbr:…:…` names, ours where none is published) that change nothing. */
const readVerbs = new Set([
  "get",
  "list",
  "listExternal",
  "getSummary",
  "getTags",
  "listProjectTags",
  "listResourceInstances",
  "listProtectables",
  "getProtectables",
  "queryReplicationCapability",
]);

/** Whether an action only looks: what it does needs no entry in the audit log. */
export const isReadAction = (action: string): boolean => readVerbs.has(action.slice(action.lastIndexOf(":") + 1));

/** Whether the roles allow `service:noun:verb`: a reader may look, a member may do all but what is named `admin`, an admin anything. */
export function isAllowed(held: readonly Role[], action: string): boolean {
  if (held.includes("admin")) return true;
  if (action.includes(":admin:")) return false;
  if (held.includes("member")) return true;
  return held.includes("reader") && isReadAction(action);
}
