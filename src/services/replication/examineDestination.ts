import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import { isFull } from "#model/vault.ts";
import type { Vault } from "#model/vault.ts";
import { rolesOf, type Context } from "../context.ts";
import { peerOf } from "./peers.ts";
import type { CopyQuestion } from "./target.ts";

/** Who wants to copy something to here: a user of this service, or another region's service. */
export type Sender = { userId: Id } | { region: string };

/**
 * Whether a copy may be made in a vault of this service; tells which of the backups have one.
 * @throws DomainError `projectTakesNoReplicas`, `destinationVaultMissing`, `vaultTakesNoReplicas`, `destinationVaultFull`
 */
export async function examineDestination(context: Context, tables: Tables, sender: Sender, question: CopyQuestion): Promise<Id[]> {
  await findDestination(context, tables, sender, question);
  return tables.replications.liveCopies(question);
}

/** The vault that the copy goes into, after all checks. */
export async function findDestination(
  context: Context,
  tables: Tables,
  sender: Sender,
  question: Omit<CopyQuestion, "sourceRegion" | "backupIds">,
): Promise<Vault> {
  const { destinationProjectId: projectId, destinationVaultId: vaultId, objectType } = question;
  await refuseUnlessAccepted(context, tables, sender, question);
  const field = "destination_vault_id";
  const vault = await tables.vaults.get(projectId, vaultId);
  if (vault === undefined) throw new DomainError("destinationVaultMissing", `${field}: there is no vault ${vaultId} in that project`, { field });
  if (vault.protectType !== "replication")
    throw new DomainError("vaultTakesNoReplicas", `${field}: vault ${vaultId} is not made for copies: its protect_type is backup`, { field });
  if (vault.objectType !== objectType)
    throw new DomainError("vaultTakesNoReplicas", `${field}: vault ${vaultId} holds objects of type ${vault.objectType}, not ${objectType}`, {
      field,
    });
  if (vault.status !== "available" && vault.status !== "lock")
    throw new DomainError("vaultTakesNoReplicas", `${field}: vault ${vaultId} is ${vault.status}`, { field });
  const { usedBytes } = await tables.vaults.usage(vaultId);
  if (!vault.autoExpand && isFull(vault, usedBytes))
    throw new DomainError("destinationVaultFull", `${field}: vault ${vaultId} is full: its ${vault.sizeGib} GB are used`, { field });
  return vault;
}

/** @throws DomainError `projectTakesNoReplicas` */
export async function refuseUnlessAccepted(
  context: Context,
  tables: Tables,
  sender: Sender,
  question: Pick<CopyQuestion, "sourceProjectId" | "destinationProjectId">,
): Promise<void> {
  if (await takesFrom(context, tables, sender, question)) return;
  throw new DomainError("projectTakesNoReplicas", `destination_project_id: project ${question.destinationProjectId} takes no copies from here`, {
    field: "destination_project_id",
  });
}

/** A user copies into projects in which the role allows it; another region into those that the operator has opened to the project it copies from. */
async function takesFrom(
  context: Context,
  tables: Tables,
  sender: Sender,
  { sourceProjectId, destinationProjectId }: Pick<CopyQuestion, "sourceProjectId" | "destinationProjectId">,
): Promise<boolean> {
  const project = await tables.identity.getProject(destinationProjectId);
  if (project === undefined || !project.enabled) return false;
  if ("region" in sender) {
    const accept = peerOf(context, sender.region)?.accept ?? [];
    return accept.some(({ from, into }) => from === sourceProjectId && into === destinationProjectId);
  }
  if (sourceProjectId === destinationProjectId) return true;
  return rolesOf(context).isAllowed(await tables.identity.listRoles(sender.userId, destinationProjectId), "cbr:backups:replicate");
}
