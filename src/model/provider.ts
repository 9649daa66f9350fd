import type { ResourceType } from "./resource.ts";
import type { VaultObjectType } from "./vault.ts";

/** The published provider ids: clients compare the literal values (docs/compatibility/backup-resource.md). */
export const providerIds = {
  server: "0daac4c5-6707-4851-97ba-169e36266b66",
  disk: "d1603440-187d-4516-af25-121250c7cc97",
  turbo: "3f3c3220-245c-4805-b811-758870015881",
} as const satisfies Record<VaultObjectType, string>;

export const objectTypeOf: Readonly<Record<ResourceType, VaultObjectType>> = {
  "OS::Nova::Server": "server",
  "OS::Cinder::Volume": "disk",
  "OS::Sfs::Turbo": "turbo",
};
