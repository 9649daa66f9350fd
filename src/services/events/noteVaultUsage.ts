import type { Tables } from "#catalog/tables.ts";
import { usedPercent } from "#model/vault.ts";
import type { Vault } from "#model/vault.ts";
import type { Context } from "../context.ts";
import { noteEvent } from "./noteEvent.ts";

/** A vault and the stored bytes of its backups. */
export interface VaultFill {
  vault: Vault;
  usedBytes: number;
}

/**
 * To be called in the transaction that changed what a vault holds or may hold, with what was before it. Tells when usage has risen to the vault's
 * alert threshold: once for each time that it does, and not at all where alerts are switched off.
 */
export async function noteVaultUsage(context: Context, tables: Tables, before: VaultFill): Promise<void> {
  const { projectId, id } = before.vault;
  const vault = await tables.vaults.get(projectId, id);
  if (vault === undefined || !vault.smnNotify) return;
  const { usedBytes } = await tables.vaults.usage(id);
  const percent = usedPercent(vault, usedBytes);
  const isCrossed = percent >= vault.threshold && usedPercent(before.vault, before.usedBytes) < before.vault.threshold;
  if (!isCrossed) return;
  context.log.warn({ projectId, vaultId: id, percent: Math.floor(percent), threshold: vault.threshold }, "a vault is nearly full");
  await noteEvent(tables, {
    id: context.random.uuid(),
    projectId,
    type: "vault.nearly_full",
    createdAt: context.clock.nowUs(),
    data: {
      vault: {
        id,
        name: vault.name,
        size_gib: vault.sizeGib,
        used_bytes: usedBytes,
        used_percent: Math.floor(percent * 10) / 10,
        threshold_percent: vault.threshold,
      },
    },
  });
}
