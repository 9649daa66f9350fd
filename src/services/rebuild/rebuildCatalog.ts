import type { Catalog } from "#catalog/tables.ts";
import type { Backup } from "#model/backup.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { isProjectId } from "#model/ids.ts";
import type { Random } from "#platform/random.ts";
import type { Engine, RootDescription } from "#repository/engine-types.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { sealedAtOf } from "../runs/backup-disk.ts";
import { readDocument, readProjectState } from "./readDocument.ts";
import { addBackup, beginProject, finishProject, settleShares } from "./rebuildProject.ts";
import type { Known } from "./rebuildProject.ts";

export interface RebuildRequest {
  /** A new catalog, or one that an interrupted rebuild has begun. */
  catalog: Catalog;
  engine: Pick<Engine, "listTenants" | "listRoots" | "readRoot" | "readState">;
  random: Random;
  /** Folder of our own volumes, as far as they are still there. */
  volumesPath: string;
  onProgress?: (done: number, total: number) => void;
}

export interface RebuildReport {
  projects: number;
  backups: number;
  /** What of the store is in no way in the new catalog, with the reason. */
  unreadable: { projectId: ProjectId; backupId: Id | null; reason: string }[];
}

/**
 * Makes the catalog again from what is sealed in the store: ids, names and times are what they were. May be interrupted anywhere and called
 * again on the same catalog: what has been added is not read again.
 * Users, passwords, access keys and tasks are nowhere but in the catalog, and are not made up.
 * @throws RepositoryError when the store cannot be read at all; a single damaged root object is told in the report
 */
export async function rebuildCatalog({ catalog, engine, random, volumesPath, onProgress }: RebuildRequest): Promise<RebuildReport> {
  const report: RebuildReport = { projects: 0, backups: 0, unreadable: [] };
  const tenants = await engine.listTenants();
  const roots = new Map<ProjectId, Id[]>();
  for (const projectId of tenants) roots.set(projectId, await engine.listRoots(projectId));
  const total = [...roots.values()].reduce((sum, ids) => sum + ids.length, 0);
  let done = 0;
  let newest = { at: 0, nodeId: random.uuid() };
  for (const [projectId, backupIds] of roots) {
    if (!isProjectId(projectId)) {
      report.unreadable.push({ projectId, backupId: null, reason: "it is not the id of a project" });
      continue;
    }
    const known = await readKnown(engine, projectId, volumesPath, report);
    if (known === undefined && backupIds.length === 0) continue;
    const context: Known = known ?? { state: undefined, stateAt: 0, settings: { volumesPath }, moves: [] };
    await catalog.transaction((tables) => beginProject(tables, projectId, context));
    report.projects++;
    for (const backupId of backupIds) {
      onProgress?.(done++, total);
      const before = await catalog.backups.get(projectId, backupId);
      if (before !== undefined && before.rootKey !== null) {
        report.backups++;
        newest = newerOf(newest, before);
        continue;
      }
      const root = await readOne(engine, projectId, backupId, report);
      if (root === undefined) continue;
      const document = readDocument(root.document, { projectId, backupId });
      if (typeof document === "string") {
        report.unreadable.push({ projectId, backupId, reason: document });
        continue;
      }
      const sealedAt = sealedAtOf(document, root.statistics);
      const isFailed = sealedAt < context.stateAt && context.state?.failed.some(({ id, rootKey }) => id === backupId && rootKey === null) === true;
      if (isFailed) continue;
      newest = newerOf(newest, { updatedAt: sealedAt, nodeId: document.backup.nodeId });
      await catalog.transaction((tables) => addBackup(tables, root, document, context));
      report.backups++;
    }
    await catalog.transaction((tables) => finishProject(tables, projectId, context));
  }
  for (const projectId of roots.keys()) await catalog.transaction((tables) => settleShares(tables, projectId));
  onProgress?.(total, total);
  await catalog.meta.set("nodeId", newest.nodeId);
  return report;
}

type Node = { at: number; nodeId: Id };
const newerOf = (newest: Node, { updatedAt, nodeId }: Pick<Backup, "updatedAt" | "nodeId">): Node =>
  (updatedAt ?? 0) > newest.at ? { at: updatedAt ?? 0, nodeId } : newest;

const toldInReport = (error: unknown): error is RepositoryError =>
  error instanceof RepositoryError && ["corruptRoot", "newerFormat", "wrongMasterKey"].includes(error.code);

async function readKnown(
  engine: RebuildRequest["engine"],
  projectId: ProjectId,
  volumesPath: string,
  report: RebuildReport,
): Promise<Known | undefined> {
  try {
    const found = await engine.readState(projectId);
    if (found === undefined) return undefined;
    const state = readProjectState(found.document, projectId);
    if (typeof state !== "string") return { state, stateAt: found.writtenAtUs, settings: { volumesPath }, moves: state.moves };
    report.unreadable.push({ projectId, backupId: null, reason: state });
  } catch (error) {
    if (!toldInReport(error)) throw error;
    report.unreadable.push({ projectId, backupId: null, reason: error.message });
  }
  return undefined;
}

async function readOne(
  engine: RebuildRequest["engine"],
  projectId: ProjectId,
  backupId: Id,
  report: RebuildReport,
): Promise<RootDescription | undefined> {
  try {
    const root = await engine.readRoot(projectId, backupId);
    if (root === undefined) report.unreadable.push({ projectId, backupId, reason: "the key of its project was destroyed or is missing" });
    return root;
  } catch (error) {
    if (!toldInReport(error)) throw error;
    report.unreadable.push({ projectId, backupId, reason: error.message });
    return undefined;
  }
}
