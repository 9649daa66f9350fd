import type { ProjectId } from "./ids.ts";

/** The name of a role: `admin`, `member`, `reader`, or one of the installation's own (model/roles.ts). */
export type Role = string;

/** Who is asking: the outcome of authentication, the same for every dialect. */
export interface Caller {
  userId: string;
  userName: string;
  projectId: ProjectId;
  domainId: string;
  roles: readonly Role[];
  /** Its credentials are good for this project alone, whatever roles the user has elsewhere. */
  isBound?: boolean;
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
