import assert from "node:assert/strict";
import { sampleDiskBackup, sampleServerBackup } from "./backup-samples.ts";
import { ask, type DialectApp, projectA } from "./dialect-app.ts";

export const cbr = `/v3/${projectA}`;
export const volume = `/volume/v3/${projectA}`;
export const vbs = `/volume/v2/${projectA}`;
export const own = `/opencbr/v1/${projectA}`;
export const unknownId = "dddddddd-dddd-4ddd-8ddd-dddddddddddd";
export const billing = { size: 100, object_type: "disk", protect_type: "backup", consistent_level: "crash_consistent" };

/** A volume of 1 GiB, by the API. */
export async function newVolume(service: DialectApp, name: string, more: Record<string, unknown> = {}): Promise<string> {
  const made = await ask(service, "POST", `${volume}/volumes`, { body: { volume: { name, size: 1, ...more } } });
  assert.equal(made.status, 202, JSON.stringify(made.body));
  return made.body.volume.id;
}

/** A vault for disks, by the API. */
export async function newVault(service: DialectApp, name: string, more: Record<string, unknown> = {}): Promise<string> {
  const made = await ask(service, "POST", `${cbr}/vaults`, { body: { vault: { name, billing, resources: [], ...more } } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  return made.body.vault.id;
}

/** A vault with finished backups in the catalog: a disk's chain of two, and a server's with one child. */
export async function stored(service: DialectApp) {
  const vaultId = await newVault(service, `stored-${service.context.random.uuid().slice(0, 8)}`);
  const uuid = () => service.context.random.uuid();
  const [checkpointId, volumeId, serverId] = [uuid(), uuid(), uuid()];
  await service.context.catalog.checkpoints.insert({
    id: checkpointId,
    projectId: projectA,
    vaultId,
    name: "run",
    description: null,
    retentionDays: null,
    skipped: [],
    createdAt: service.context.clock.nowUs(),
  });
  const common = { vaultId, checkpointId, projectId: projectA };
  const fullId = uuid();
  const full = sampleDiskBackup({
    ...common,
    id: fullId,
    name: "full",
    resourceId: volumeId,
    incremental: false,
    baseId: null,
    chainId: fullId,
    createdAt: 1_900_000_000_000_000,
  });
  const increment = sampleDiskBackup({
    ...common,
    id: uuid(),
    name: "increment",
    resourceId: volumeId,
    baseId: fullId,
    chainId: fullId,
    createdAt: 1_900_000_001_000_000,
  });
  const parent = sampleServerBackup({ ...common, id: uuid(), name: "server", resourceId: serverId, createdAt: 1_900_000_002_000_000 });
  const childId = uuid();
  const child = sampleDiskBackup({
    ...common,
    id: childId,
    name: "server_disk",
    parentId: parent.id,
    resourceId: uuid(),
    chainId: childId,
    baseId: null,
    incremental: false,
    createdAt: 1_900_000_003_000_000,
  });
  for (const backup of [full, increment, parent, child]) await service.context.catalog.backups.insert(backup);
  return { vaultId, checkpointId, volumeId, serverId, full, increment, parent, child };
}
