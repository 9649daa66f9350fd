import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrapIdentity } from "#api/identity/bootstrap.ts";
import { deriveIdentityKeys, openSecret, SealedSecretError } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import { systemRandom } from "#platform/random.ts";
import { resealAccessKeys } from "./reseal.ts";

test("after a rotation the secrets of access keys open with the new master key only, however often it is done", async () => {
  const [from, to] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const catalog = await openCatalog({ path: ":memory:" });
  const first = await bootstrapIdentity({ catalog, random: systemRandom }, { dev: false, masterKey: from, passwordCost: { ln: 1, r: 1, p: 1 } });
  const { id, secret } = first!.accessKey;
  assert.equal(await resealAccessKeys(catalog, from, to, systemRandom), 1);
  assert.equal(await resealAccessKeys(catalog, from, to, systemRandom), 0);
  const { sealedSecret } = (await catalog.identity.getAccessKey(id))!;
  assert.equal(openSecret(deriveIdentityKeys(to).secret, id, sealedSecret), secret);
  assert.throws(() => openSecret(deriveIdentityKeys(from).secret, id, sealedSecret), SealedSecretError);
  await assert.rejects(resealAccessKeys(catalog, from, new Uint8Array(32).fill(3), systemRandom), SealedSecretError);
  assert.deepEqual((await catalog.identity.getAccessKey(id))!.sealedSecret, sealedSecret);
  await catalog.close();
});
