import type { ResourceType } from "./resource.ts";
import type { VaultObjectType } from "./vault.ts";

/** The published provider ids: clients compare the literal values (docs/compatibility/backup-resource.md). */
export const providerIds = {
  server: "0daac4c5-6707-4851-97ba-169e36266b66",
  disk: "d1603440-187d-4516-af25-121250c7cc97",
  turbo: "3f3c3220-245c-4805-b811-758870015881",
  vmware: "a13639de-00be-4e94-af30-26912d75e4a2",
  // None is published.
  file: "c7a6a2a4-6f0e-4d0a-9a53-0f6a2a5d1f2e",
} as const satisfies Record<VaultObjectType, string>;

export const objectTypeOf: Readonly<Record<ResourceType, VaultObjectType>> = {
  "OS::Nova::Server": "server",
  "OS::Cinder::Volume": "disk",
  "OS::Sfs::Turbo": "turbo",
};
