import { deriveIdentityKeys, openSecret, sealSecret, SealedSecretError } from "#api/auth/secrets.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Random } from "#platform/random.ts";

/** Seals the secrets of access keys, which lie in the catalog under the master key, under a new one. What is under the new one already stays. */
export async function resealAccessKeys(catalog: Catalog, from: Uint8Array, to: Uint8Array, random: Random): Promise<number> {
  const [before, after] = [deriveIdentityKeys(from).secret, deriveIdentityKeys(to).secret];
  return catalog.transaction(async ({ identity }) => {
    let resealed = 0;
    for (const { id, sealedSecret } of await identity.listAccessKeys()) {
      if (opens(after, id, sealedSecret)) continue;
      await identity.setSealedSecret(id, sealSecret(after, id, openSecret(before, id, sealedSecret), random));
      resealed++;
    }
    return resealed;
  });
}

function opens(key: Uint8Array, id: string, sealed: Uint8Array): boolean {
  try {
    openSecret(key, id, sealed);
    return true;
  } catch (error) {
    if (error instanceof SealedSecretError) return false;
    throw error;
  }
}
