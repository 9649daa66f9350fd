import type { Tables } from "#catalog/tables.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import type { OrganizationPolicy, Policy } from "#model/policy.ts";
import { DomainError } from "#model/errors.ts";
import type { Context } from "../context.ts";

/** An organization policy with what has become of it. */
export interface OrganizationPolicyView {
  policy: OrganizationPolicy;
  domainName: string;
  /** Every project in its scope has it. */
  isComplete: boolean;
}

/** @throws DomainError `policyNotFound` */
export async function findOrganizationPolicy(tables: Tables, domainId: string, id: Id): Promise<OrganizationPolicy> {
  const policy = await tables.organizationPolicies.get(domainId, id);
  if (policy === undefined) throw new DomainError("policyNotFound", `There is no organization policy ${id} in this domain.`);
  return policy;
}

/** @throws DomainError `invalidRequest` for what is not a project of the domain */
export async function checkScope(tables: Tables, domainId: string, scope: readonly ProjectId[] | null): Promise<ProjectId[] | null> {
  if (scope === null) return null;
  const known = new Set((await tables.identity.listProjects({ domainId })).map(({ id }) => id));
  const foreign = scope.find((id) => !known.has(id));
  if (foreign === undefined) return [...new Set(scope)];
  throw new DomainError("invalidRequest", `effective_scope: ${JSON.stringify(foreign.slice(0, 64))} is not a project of this domain`, {
    field: "effective_scope",
  });
}

async function projectsOf(tables: Tables, { domainId, scope }: OrganizationPolicy): Promise<ProjectId[]> {
  const ids = (await tables.identity.listProjects({ domainId })).map(({ id }) => id);
  return scope === null ? ids : ids.filter((id) => scope.includes(id));
}

export async function viewOrganizationPolicy(tables: Tables, policy: OrganizationPolicy): Promise<OrganizationPolicyView> {
  const there = new Set((await tables.policies.ofOrganization(policy.id)).map(({ projectId }) => projectId));
  const isComplete = (await projectsOf(tables, policy)).every((id) => there.has(id));
  return { policy, domainName: (await tables.identity.getDomain(policy.domainId))?.name ?? "", isComplete };
}

/** Gives the policy to every project in its scope that has none of it, and takes it from those that are not. Tells how many got it. */
export async function spread(context: Context, tables: Tables, policy: OrganizationPolicy): Promise<number> {
  const wanted = new Set(await projectsOf(tables, policy));
  for (const each of await tables.policies.ofOrganization(policy.id)) {
    if (!wanted.delete(each.projectId)) await release(context, tables, each);
  }
  for (const projectId of wanted) {
    await tables.policies.insert({
      id: context.random.uuid(),
      projectId,
      userId: policy.userId,
      name: policy.policyName,
      enabled: policy.policyEnabled,
      operationType: policy.operationType,
      definition: policy.definition,
      schedule: policy.schedule,
      triggerId: context.random.uuid(),
      policyType: "organization_policy_v2",
      organizationPolicyId: policy.id,
      createdAt: context.clock.nowUs(),
      updatedAt: null,
    });
  }
  return wanted.size;
}

/** What protects something goes on as the project's own policy; what does not is deleted. */
export async function release(context: Context, tables: Tables, policy: Policy): Promise<void> {
  if ((await tables.policies.vaultsOf(policy.id)).length === 0) return tables.policies.remove(policy.id);
  const patch = { policyType: "organization_policy_removed", organizationPolicyId: null, updatedAt: context.clock.nowUs() } as const;
  await tables.policies.update(policy.id, patch);
}
