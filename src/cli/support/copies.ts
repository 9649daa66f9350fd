import { systemClock } from "#platform/clock.ts";
import type { Bars } from "./bars.ts";
import { showBackup } from "./backups.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";
import type { WireCopy } from "./wire.ts";

const pollMs = 200;
const isOver = ({ status }: WireCopy): boolean => status !== "waiting_replicate" && status !== "replicating";

/** Where copies go, as the wire tells it. */
export interface Destination {
  region: string;
  project?: string;
}

/** The caller's own project unless another is given. */
export async function destinationOf(client: Client, { region, project }: Destination, vaultId: string) {
  const destination_project_id = project ?? (await client.login()).projectId;
  return { destination_region: region, destination_project_id, destination_vault_id: vaultId };
}

/** Follows a copying to its end. One that failed is an error with its own words. */
export async function copyEnd(client: Client, backupId: string, recordId: string, bars: Bars): Promise<WireCopy> {
  const bar = bars.add(`copy of ${backupId}`);
  for (;;) {
    const copy = (await showBackup(client, backupId)).replication_records.find(({ id }) => id === recordId);
    if (copy === undefined) throw new CommandError(`the record ${recordId} of backup ${backupId} is gone`);
    bar.update(copy.extra_info.progress, 100, 0, copy.status);
    if (isOver(copy)) {
      bar.finish(copy.status !== "fail");
      if (copy.status === "fail") throw new CommandError(`backup ${backupId} was not copied: ${copy.extra_info.fail_reason}`);
      return copy;
    }
    await systemClock.sleep(pollMs);
  }
}
