import assert from "node:assert/strict";
import type { Caller } from "#model/caller.ts";
import { errorKinds } from "#model/errors.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { Volume } from "#model/resource.ts";
import { createVault } from "#services/vaults/createVault.ts";
import type { CreateVaultInput } from "#services/vaults/createVault.ts";
import type { VaultView } from "#services/views.ts";
import { createVolume } from "#services/volumes/createVolume.ts";
import type { World } from "./world.ts";

/** Expects a refusal with our code and, if given, the published digits. */
export const refused = (promise: Promise<unknown>, code: ErrorCode, cbr?: string): Promise<void> =>
  assert.rejects(promise, (error: unknown) => {
    assert.equal((error as { code?: string }).code, code, String(error));
    if (cbr !== undefined) assert.equal(errorKinds[code].cbr, `BackupService.${cbr}`);
    return true;
  });

export const disk = (volume: Pick<Volume, "id">) => ({ id: volume.id, type: "OS::Cinder::Volume" as const });

/** A page with everything that a test makes. */
export const all = { limit: 1000, offset: 0 };

/** A vault for disks of 10 GB, unless said otherwise. */
export const newVault = (world: World, caller: Caller, overrides: Partial<CreateVaultInput> = {}): Promise<VaultView> =>
  createVault(world.context, caller, {
    name: "vault",
    sizeGib: 10,
    objectType: "disk",
    protectType: "backup",
    consistentLevel: "crash_consistent",
    resources: [],
    ...overrides,
  });

/** An empty volume. */
export const emptyVolume = (world: World, caller: Caller, name = "empty", sizeGib = 1): Promise<Volume> =>
  createVolume(world.context, caller, { sizeGib, name });
