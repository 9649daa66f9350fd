import type { Backup } from "#model/backup.ts";
import type { ProjectId } from "#model/ids.ts";
import type { CheckFinding } from "#repository/engine-types.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { rootObjectKey } from "#repository/layout.ts";
import type { Context } from "../context.ts";
import { readDocument } from "../rebuild/readDocument.ts";

/** What to do about a catalog that is not right. */
const advice = "stop the service, move catalog.sqlite away and make it again with opencbr rebuild";

/** What never changes once a backup is sealed: the catalog and its document must say the same. */
const fixed = ["resourceId", "resourceType", "resourceSizeGib", "parentId", "createdAt", "protectedAt"] as const satisfies readonly (keyof Backup)[];

const finding = (object: string, reason: string): CheckFinding => ({ object, reason: `${reason}; ${advice}`, repaired: false });

/**
 * Whether the catalog's file says what was written to it, and whether what it says of the project's backups agrees with what is sealed in the store.
 * `onBackup` is told how many of the backups have been compared, and may throw to end it.
 */
export async function catalogFindings(
  context: Pick<Context, "catalog" | "engine">,
  projectId: ProjectId,
  onBackup: (done: number, total: number) => void,
): Promise<CheckFinding[]> {
  const { catalog, engine } = context;
  const found = (await catalog.damage()).map((problem) => finding("catalog", problem));
  const backupIds = await engine.listRoots(projectId);
  for (const [done, backupId] of backupIds.entries()) {
    onBackup(done, backupIds.length);
    const reason = await disagreement(context, projectId, backupId);
    if (reason !== undefined) found.push(finding("catalog", `backup ${backupId}: ${reason}`));
  }
  return found;
}

/** In what the catalog's row and the sealed root object of one backup differ. */
async function disagreement(
  { catalog, engine }: Pick<Context, "catalog" | "engine">,
  projectId: ProjectId,
  backupId: string,
): Promise<string | undefined> {
  const row = await catalog.backups.get(projectId, backupId);
  if (row !== undefined && row.status !== "available") return undefined;
  // One that cannot be read is told by the check of the store; one that is gone was deleted meanwhile, or is told as missing.
  const root = await engine.readRoot(projectId, backupId).catch((error: unknown) => {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  });
  if (root === undefined) return undefined;
  if (row === undefined) return "the store has it, the catalog does not know it";
  const document = readDocument(root.document, { projectId, backupId });
  if (typeof document === "string") return document;
  const sealed = document.backup;
  // A copy from another place may have been sealed without its instant.
  const different = fixed.filter((field) => row[field] !== sealed[field] && !(field === "protectedAt" && sealed[field] === null));
  if (row.rootKey !== rootObjectKey(projectId, backupId)) return `the catalog looks for its root object at ${row.rootKey}`;
  return different.length === 0 ? undefined : `the catalog and the store do not say the same of its ${different.join(", ")}`;
}
