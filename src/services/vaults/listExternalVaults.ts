import type { Listed, Page, VaultFilter } from "#catalog/tables.ts";
import { isAllowed } from "#model/caller.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import type { Context } from "../context.ts";
import type { VaultView } from "../views.ts";
import { listVaults } from "./listVaults.ts";

export interface ListExternalVaultsInput {
  projectId: ProjectId;
  /** Only this service's own region is known here. */
  region: string;
  filter: VaultFilter;
  page: Page;
}

/**
 * The vaults of another project in which the caller has a role that may list them.
 * @throws DomainError `invalidRequest` for a region that is not this one, `forbidden` for a project that is not there or not the caller's
 */
export async function listExternalVaults(context: Context, caller: Caller, input: ListExternalVaultsInput): Promise<Listed<VaultView>> {
  if (input.region !== context.settings.region)
    throw new DomainError("invalidRequest", `region_id: the only region here is ${context.settings.region}`, { field: "region_id" });
  const roles = input.projectId === caller.projectId ? caller.roles : await context.catalog.identity.listRoles(caller.userId, input.projectId);
  if (!isAllowed(roles, "cbr:vaults:list"))
    throw new DomainError("forbidden", `external_project_id: you have no role in project ${input.projectId}`, { field: "external_project_id" });
  return listVaults(context, { ...caller, projectId: input.projectId, roles }, { filter: input.filter, page: input.page });
}
