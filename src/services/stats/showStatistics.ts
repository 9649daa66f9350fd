import type { Backup } from "#model/backup.ts";
import type { Caller } from "#model/caller.ts";
import type { Id } from "#model/ids.ts";
import type { Context } from "../context.ts";

/** Bytes of a set of disk backups. */
export interface Figures {
  backupCount: number;
  /** What they hold when each is counted whole: the data that a restore of all would write. */
  logicalBytes: number;
  /** Of that, what was stored once instead of again and again: before compression. */
  uniqueBytes: number;
  /** What they added to the store, compressed and sealed. */
  storedBytes: number;
  /** 1 − stored ÷ logical; 0 when there is nothing. */
  savings: number;
  /** Of the incremental ones: new bytes ÷ data bytes; null when there is none. */
  changeRate: number | null;
}

export interface Statistics {
  project: Figures & { /** Every pack in the store, garbage included. */ storeBytes: number };
  vaults: (Figures & { vaultId: Id; name: string | null })[];
  resources: (Figures & { resourceId: Id; name: string })[];
}

const pageSize = 1000;

/** What the project's available backups hold and take: in all, by vault, and by protected disk. */
export async function showStatistics(context: Context, caller: Caller): Promise<Statistics> {
  const { catalog, engine } = context;
  const all = new Sum();
  const vaults = new Map<Id, Sum>();
  const resources = new Map<Id, Sum & { name?: string }>();
  const names = new Map<Id, string>();
  for (let offset = 0; ; offset += pageSize) {
    const statuses = ["available", "waiting_restore", "restoring"] as const;
    const { items } = await catalog.backups.list(caller.projectId, { statuses: [...statuses] }, { limit: pageSize, offset });
    for (const { backup } of items) {
      // A server backup's figures are the sum of its disks'.
      if (backup.resourceType === "OS::Nova::Server") continue;
      for (const sum of [all, sumIn(vaults, backup.vaultId), sumIn(resources, backup.resourceId)]) sum.add(backup);
      names.set(backup.resourceId, backup.resourceName);
    }
    if (items.length < pageSize) break;
  }
  const vaultNames = new Map<Id, string>();
  for (const id of vaults.keys()) vaultNames.set(id, (await catalog.vaults.get(caller.projectId, id))?.name ?? "");
  return {
    project: { ...all.figures(), storeBytes: await engine.storedBytes(caller.projectId) },
    vaults: [...vaults].map(([vaultId, sum]) => ({ vaultId, name: vaultNames.get(vaultId) || null, ...sum.figures() })),
    resources: [...resources].map(([resourceId, sum]) => ({ resourceId, name: names.get(resourceId) ?? "", ...sum.figures() })),
  };
}

function sumIn(sums: Map<Id, Sum>, id: Id): Sum {
  let sum = sums.get(id);
  if (sum === undefined) sums.set(id, (sum = new Sum()));
  return sum;
}

class Sum {
  #count = 0;
  #logical = 0;
  #unique = 0;
  #stored = 0;
  #incrementalNew = 0;
  #incrementalData = 0;

  add({ statistics, incremental }: Backup): void {
    if (statistics === null) return;
    this.#count++;
    this.#logical += statistics.dataBytes;
    this.#unique += statistics.newBytes;
    this.#stored += statistics.storedBytes;
    if (!incremental) return;
    this.#incrementalNew += statistics.newBytes;
    this.#incrementalData += statistics.dataBytes;
  }

  figures(): Figures {
    return {
      backupCount: this.#count,
      logicalBytes: this.#logical,
      uniqueBytes: this.#unique,
      storedBytes: this.#stored,
      savings: this.#logical === 0 ? 0 : 1 - this.#stored / this.#logical,
      changeRate: this.#incrementalData === 0 ? null : this.#incrementalNew / this.#incrementalData,
    };
  }
}
