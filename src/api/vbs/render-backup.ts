import type { BackupView } from "#catalog/tables.ts";
import type { BlockStorageBase } from "../cinder/links.ts";
import { commonBackupKeys } from "../cinder/render-backup.ts";
import { renderServiceMetadata, type ServiceMetadataFacts } from "./service-metadata.ts";

/** The description of a backup that came through `cloudbackups`: a JSON text with the user's words and what the request asked for. */
export function jsonDescription(description: string | null, incrementalRequested: boolean): string {
  return JSON.stringify({ DESC: description ?? "", INC: incrementalRequested ? 1 : 0 });
}

/** A disk backup as VBS v2 shows it. */
export function renderBackupV2(view: BackupView, base: BlockStorageBase, facts: ServiceMetadataFacts) {
  const { backup } = view;
  return {
    ...commonBackupKeys(view, base),
    description: backup.viaCloudbackups ? jsonDescription(backup.description, backup.incrementalRequested) : backup.description,
    "os-bak-tenant-attr:tenant_id": backup.projectId,
    service_metadata: renderServiceMetadata(view, facts),
  };
}
