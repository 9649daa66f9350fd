import type { SealedMetadata } from "#services/backups/showMetadata.ts";
import { renderBackup } from "./render-backup.ts";
import { renderDisk, renderServer } from "./render-protectable.ts";

/**
 * The description of what a backup protects, as texts that hold JSON: the published form. Registered servers have no flavour, interfaces, ports or
 * addresses, so those are empty.
 */
export function renderMetadata({ view, server, volumes }: SealedMetadata, baseUrl: string) {
  const servers = server === null ? [] : [server];
  return {
    backup_id: view.backup.id,
    backups: JSON.stringify(renderBackup(view, { withChildren: false })),
    server: JSON.stringify({ server: server === null ? null : renderServer(server) }),
    volumes: volumes.map((volume) => JSON.stringify({ volume: renderDisk(volume, servers, baseUrl) })),
    flavor: JSON.stringify({ flavor: null }),
    interface: JSON.stringify({ interfaceAttachments: [] }),
    ports: [] as string[],
    floatingips: [] as string[],
  };
}
