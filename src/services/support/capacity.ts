import type { Tables } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import type { Id, ProjectId } from "#model/ids.ts";
import { expandedSizeGib, isFull } from "#model/vault.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { noteVaultUsage } from "../events/noteVaultUsage.ts";
import type { VaultFill } from "../events/noteVaultUsage.ts";
import { gibBytes } from "./checks.ts";

/** What a vault holds before a transaction changes it. */
export async function fillOf(tables: Tables, projectId: ProjectId, vaultId: Id): Promise<VaultFill | undefined> {
  const vault = await tables.vaults.get(projectId, vaultId);
  return vault && { vault, usedBytes: (await tables.vaults.usage(vaultId)).usedBytes };
}

/** A full vault that may grow by itself does. Tells its capacity then, GiB. */
async function expand(context: Context, tables: Tables, vault: Vault, usedBytes: number): Promise<number> {
  if (!vault.autoExpand) return vault.sizeGib;
  const sizeGib = expandedSizeGib(vault, usedBytes, context.settings.vaultMaxGib);
  if (sizeGib === vault.sizeGib) return sizeGib;
  await tables.vaults.update(vault.id, { sizeGib, updatedAt: context.clock.nowUs() });
  context.log.info({ vaultId: vault.id, fromGib: vault.sizeGib, toGib: sizeGib }, "a full vault was expanded");
  return sizeGib;
}

/** @throws DomainError `vaultFull` when nothing more fits into the vault and it does not grow by itself */
export async function refuseFullVault(context: Context, tables: Tables, vault: Vault): Promise<void> {
  const { usedBytes } = await tables.vaults.usage(vault.id);
  const sizeGib = await expand(context, tables, vault, usedBytes);
  if (isFull({ sizeGib }, usedBytes)) throw new DomainError("vaultFull", `Vault ${vault.id} is full: its ${sizeGib} GB are used.`);
}

/**
 * To be called in the transaction that put backups into a vault, with what was before: a vault that is full now grows if it may, and an alert is
 * raised if it is due.
 * @throws DomainError `vaultFull` when they do not fit; the transaction must be rolled back
 */
export async function settleUsage(context: Context, tables: Tables, before: VaultFill | undefined): Promise<void> {
  if (before === undefined) return;
  const { vault } = before;
  const { usedBytes } = await tables.vaults.usage(vault.id);
  const sizeGib = await expand(context, tables, vault, usedBytes);
  if (usedBytes > sizeGib * gibBytes) {
    const overMib = Math.ceil((usedBytes - sizeGib * gibBytes) / 1024 ** 2);
    throw new DomainError("vaultFull", `Vault ${vault.id} has ${sizeGib} GB; with this it would hold ${overMib} MB more.`);
  }
  await noteVaultUsage(context, tables, before);
}
