import type { BackupFilter, BackupSortKey, BackupView, Listed, Page, Sort } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { withinReach } from "../support/find.ts";
import { receivedView } from "../support/shares.ts";

export interface ListBackupsInput {
  filter: BackupFilter;
  page: Page;
  sort?: Sort<BackupSortKey>[];
}

/** What is not told of a backup that is only offered cannot be asked for either. */
const untold = ["checkpointId", "vaultId", "resourceId", "resourceName", "resourceAz", "incremental"] as const;

/** The project's own backups and, as `filter.own` says, those that are shared with it. */
export async function listBackups(context: Context, caller: Caller, input: ListBackupsInput): Promise<Listed<BackupView>> {
  const filter = withoutOffers(input.filter);
  if (filter === undefined) return { items: [], count: 0 };
  const listed = await context.catalog.backups.list(caller.projectId, withinReach(caller, filter), input.page, input.sort);
  if ((filter.own ?? "private") === "private") return listed;
  const views: BackupView[] = [];
  for (const view of listed.items) {
    if (view.backup.projectId === caller.projectId) {
      views.push(view);
      continue;
    }
    const [share] = await context.catalog.members.received(caller.projectId, [view.backup.parentId ?? view.backup.id]);
    // Taken back since the list was read.
    if (share !== undefined) views.push(await receivedView(context.catalog, view, share));
  }
  return { items: views, count: listed.count };
}

/** Without offers where the filter asks for what is not told of them; undefined when nothing is left. */
function withoutOffers(filter: BackupFilter): BackupFilter | undefined {
  const { own = "private", memberStatus = "accepted" } = filter;
  const asks = untold.some((key) => filter[key] !== undefined) || typeof filter.parentId === "string";
  if (own === "private" || memberStatus === "accepted" || !asks) return filter;
  return own === "all" ? { ...filter, own: "private" } : undefined;
}
