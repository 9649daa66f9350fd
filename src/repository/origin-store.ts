import type { StoreOrigin, TaskControl } from "./engine-types.ts";
import { loadMasterKey } from "./master-key.ts";
import { OfflineRepository } from "./offline.ts";
import type { Origin } from "./replica-feed.ts";

/** Opens a backup of another store as the origin of a copy for `audience`. Errors as {@link OfflineRepository.open} and `missingRoot`. */
export async function openStoreBackup(from: StoreOrigin, audience: string, control: TaskControl): Promise<Origin> {
  const repository = await OfflineRepository.open(from.storePath, loadMasterKey(from.keyPath));
  return repository.offer(from.tenant, from.backupId, audience, control);
}
