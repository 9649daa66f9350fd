import type { Listed, Page } from "#catalog/tables.ts";
import type { VaultFilter } from "#catalog/vault-table.ts";
import type { ProjectId } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { viewVault } from "../support/protection.ts";
import type { VaultView } from "../views.ts";
import { refuseUnlessAccepted } from "./examineDestination.ts";

/** What another region asks: the vaults of a project here into which one of its projects may copy. JSON between services. */
export interface VaultQuestion {
  sourceProjectId: ProjectId;
  destinationProjectId: ProjectId;
  filter: VaultFilter;
  page: Page;
}

/**
 * The vaults for copies of a project, to a region that may copy into it: nothing else of the project is told.
 * @throws DomainError `projectTakesNoReplicas`
 */
export async function listVaultsForPeer(context: Context, region: string, question: VaultQuestion): Promise<Listed<VaultView>> {
  const { catalog } = context;
  await refuseUnlessAccepted(context, catalog, { region }, question);
  const { protectType = "replication", ...filter } = question.filter;
  if (protectType !== "replication") return { items: [], count: 0 };
  const listed = await catalog.vaults.list(question.destinationProjectId, { ...filter, protectType }, question.page);
  const items: VaultView[] = [];
  for (const vault of listed.items) items.push(await viewVault(catalog, vault));
  return { items, count: listed.count };
}
