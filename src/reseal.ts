import { deriveIdentityKeys, openSecret, sealSecret, SealedSecretError } from "#api/auth/secrets.ts";
import type { Catalog } from "#catalog/tables.ts";
import type { Random } from "#platform/random.ts";

/**
 * Seals the secrets of access keys and webhooks, which lie in the catalog under the master key, under a new one. What is under the new one already
 * stays.
 */
export async function resealSecrets(catalog: Catalog, from: Uint8Array, to: Uint8Array, random: Random): Promise<number> {
  const [before, after] = [deriveIdentityKeys(from), deriveIdentityKeys(to)];
  return catalog.transaction(async ({ identity, events }) => {
    let resealed = 0;
    const reseal = async (use: "secret" | "webhook", kept: Kept, keep: (id: string, sealed: Uint8Array) => Promise<void>): Promise<void> => {
      const { id, sealedSecret } = kept;
      if (opens(after[use], id, sealedSecret)) return;
      await keep(id, sealSecret(after[use], id, openSecret(before[use], id, sealedSecret), random));
      resealed++;
    };
    for (const key of await identity.listAccessKeys()) await reseal("secret", key, (id, sealed) => identity.setSealedSecret(id, sealed));
    for (const webhook of await events.listWebhooks())
      await reseal("webhook", webhook, (id, sealedSecret) => events.updateWebhook(id, { sealedSecret }));
    return resealed;
  });
}

interface Kept {
  id: string;
  sealedSecret: Uint8Array;
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
