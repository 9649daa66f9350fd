import type { Backup } from "#model/backup.ts";
import type { Id } from "#model/ids.ts";
import type { OfflineRepository } from "#repository/offline.ts";
import { readDocument } from "../rebuild/readDocument.ts";
import type { BackupDocument } from "../runs/backup-disk.ts";

/** A backup of a disk or a server as it lies in a store. */
export interface FoundBackup {
  tenant: string;
  top: Backup;
  /** The documents of its disks, in device order. */
  disks: BackupDocument[];
  /** Why it cannot be used; absent when it can. */
  unusable?: string;
}

/** The backups of a store, or of one tenant in it, each with all its disks. What cannot be read is told with the id that is known of it. */
export async function* foundBackups(repository: OfflineRepository, tenant?: string): AsyncIterable<FoundBackup> {
  const servers = new Map<Id, FoundBackup>();
  for await (const found of repository.list(tenant)) {
    if ("unreadable" in found) continue;
    const document = readDocument(found.root.document, { projectId: found.tenant, backupId: found.backupId });
    if (typeof document === "string") continue;
    const { parent } = document;
    if (parent === null) {
      yield { tenant: found.tenant, top: document.backup, disks: [document] };
      continue;
    }
    const key = `${found.tenant}/${parent.id}`;
    const server = servers.get(key) ?? { tenant: found.tenant, top: parent, disks: [] };
    server.disks.push(document);
    servers.set(key, server);
  }
  for (const server of servers.values()) yield inOrder(server);
}

function inOrder(server: FoundBackup): FoundBackup {
  const order = server.disks[0]!.siblings.map(({ id }) => id);
  const missing = order.filter((id) => !server.disks.some(({ backup }) => backup.id === id));
  const disks = server.disks.toSorted((a, b) => order.indexOf(a.backup.id) - order.indexOf(b.backup.id));
  return missing.length === 0
    ? { ...server, disks }
    : { ...server, disks, unusable: `the backups of its disks ${missing.join(", ")} are not in the store` };
}
