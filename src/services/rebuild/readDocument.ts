import type { Id, ProjectId } from "#model/ids.ts";
import { isProjectId } from "#model/ids.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";
import type { ProjectState } from "./projectState.ts";

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

const objectsIn = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : []);

/**
 * The backup document that a root object carries, or what is wrong with it. It was sealed by this software, so only what a rebuild relies on is
 * looked at; members that an older version did not write are made up.
 */
export function readDocument(document: unknown, expected: { projectId: ProjectId; backupId: Id }): BackupDocument | string {
  if (!isObject(document) || !isObject(document["backup"])) return "its root object holds no backup document";
  const { backup, vault, resource, checkpoint } = document;
  if (backup["id"] !== expected.backupId || backup["projectId"] !== expected.projectId) return "its document is another backup's";
  if (!isProjectId(expected.projectId)) return `${expected.projectId} is not a project id`;
  if (!isObject(vault) || vault["id"] !== backup["vaultId"]) return "its document tells of no vault";
  if (!isObject(checkpoint) || checkpoint["id"] !== backup["checkpointId"]) return "its document tells of no restore point";
  if (!isObject(resource) || resource["id"] !== backup["resourceId"]) return "its document tells of no resource";
  if (backup["parentId"] !== null && (!isObject(document["parent"]) || document["parent"]["id"] !== backup["parentId"]))
    return "its document does not tell of the server backup that it is part of";
  return {
    ...(document as unknown as BackupDocument),
    siblings: objectsIn(document["siblings"]) as unknown as BackupDocument["siblings"],
    bindings: objectsIn(document["bindings"]) as unknown as BackupDocument["bindings"],
    fromSnapshot: document["fromSnapshot"] === true,
    changeToken: typeof document["changeToken"] === "string" ? document["changeToken"] : null,
  };
}

/** The state of a project as it was sealed, or what is wrong with it. */
export function readProjectState(document: unknown, projectId: ProjectId): ProjectState | string {
  if (!isObject(document) || document["format"] !== 1) return "its state is of another version";
  const { domain, project } = document;
  if (!isObject(project) || project["id"] !== projectId || !isObject(domain) || domain["id"] !== project["domainId"])
    return "its state is another project's";
  const lists = [
    "vaults",
    "bindings",
    "moves",
    "resources",
    "snapshots",
    "policies",
    "vaultPolicies",
    "organizationPolicies",
    "failed",
    "checkpoints",
    "amended",
    "members",
    "replications",
  ] as const;
  return {
    ...(document as unknown as ProjectState),
    ...(Object.fromEntries(lists.map((name) => [name, objectsIn(document[name])])) as unknown as Pick<ProjectState, (typeof lists)[number]>),
  };
}
