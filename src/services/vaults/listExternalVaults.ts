import type { Listed, Page } from "#catalog/tables.ts";
import type { VaultFilter } from "#catalog/vault-table.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import { rolesOf, type Context } from "../context.ts";
import { peerOf } from "../replication/peers.ts";
import { vaultsOfPeer } from "../replication/peer-target.ts";
import type { VaultView } from "../views.ts";
import { listVaults } from "./listVaults.ts";

export interface ListExternalVaultsInput {
  projectId: ProjectId;
  /** This one, or one that the operator has connected. */
  region: string;
  filter: VaultFilter;
  page: Page;
}

/**
 * The vaults of another project in which the caller has a role that may list them; in another region those for copies, of a project into which the
 * caller's may be copied.
 * @throws DomainError `invalidRequest` for an unknown region, `forbidden` for a project that is not there or not the caller's,
 * `projectTakesNoReplicas`, `destinationUnreachable`
 */
export async function listExternalVaults(context: Context, caller: Caller, input: ListExternalVaultsInput): Promise<Listed<VaultView>> {
  if (input.region !== context.settings.region) {
    const peer = peerOf(context, input.region);
    if (peer === undefined) throw new DomainError("invalidRequest", `region_id: no region ${input.region} is known here`, { field: "region_id" });
    const { filter, page } = input;
    return vaultsOfPeer(peer, { sourceProjectId: caller.projectId, destinationProjectId: input.projectId, filter, page });
  }
  const roles = input.projectId === caller.projectId ? caller.roles : await rolesElsewhere(context, caller, input.projectId);
  if (!rolesOf(context).isAllowed(roles, "cbr:vaults:list"))
    throw new DomainError("forbidden", `external_project_id: you have no role in project ${input.projectId}`, { field: "external_project_id" });
  return listVaults(context, { ...caller, projectId: input.projectId, roles }, { filter: input.filter, page: input.page });
}

/** Credentials that are for one project alone have no role in another, whatever their user has; nobody has one in a project that is disabled. */
async function rolesElsewhere({ catalog }: Context, caller: Caller, projectId: ProjectId): Promise<readonly string[]> {
  if (caller.isBound === true || (await catalog.identity.getProject(projectId))?.enabled !== true) return [];
  return catalog.identity.listRoles(caller.userId, projectId);
}
