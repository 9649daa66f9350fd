import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrapIdentity } from "#api/identity/bootstrap.ts";
import { createSecretBox, deriveIdentityKeys, openSecret, SealedSecretError } from "#api/auth/secrets.ts";
import { openCatalog } from "#catalog/open.ts";
import { systemRandom } from "#platform/random.ts";
import { resealSecrets } from "./reseal.ts";

test("after a rotation the secrets of access keys and webhooks open with the new master key only, however often it is done", async () => {
  const [from, to] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const catalog = await openCatalog({ path: ":memory:" });
  const first = await bootstrapIdentity({ catalog, random: systemRandom }, { dev: false, masterKey: from, passwordCost: { ln: 1, r: 1, p: 1 } });
  const { id, secret } = first!.accessKey;
  const box = (masterKey: Uint8Array) => createSecretBox(deriveIdentityKeys(masterKey).webhook, systemRandom);
  await catalog.events.insertWebhook({
    id: "hook",
    projectId: "p",
    userId: "u",
    url: "https://hooks.example/",
    events: ["*"],
    description: null,
    sealedSecret: box(from).seal("hook", "whsec_secret"),
    enabled: true,
    createdAt: 1,
    updatedAt: null,
  });
  assert.equal(await resealSecrets(catalog, from, to, systemRandom), 2);
  assert.equal(await resealSecrets(catalog, from, to, systemRandom), 0);
  const { sealedSecret } = (await catalog.identity.getAccessKey(id))!;
  assert.equal(openSecret(deriveIdentityKeys(to).secret, id, sealedSecret), secret);
  const webhook = (await catalog.events.getWebhook("p", "hook"))!;
  assert.equal(box(to).open("hook", webhook.sealedSecret), "whsec_secret");
  assert.throws(() => box(from).open("hook", webhook.sealedSecret), SealedSecretError);
  assert.throws(() => box(to).open("another", webhook.sealedSecret), SealedSecretError);
  assert.throws(() => openSecret(deriveIdentityKeys(from).secret, id, sealedSecret), SealedSecretError);
  await assert.rejects(resealSecrets(catalog, from, new Uint8Array(32).fill(3), systemRandom), SealedSecretError);
  assert.deepEqual((await catalog.identity.getAccessKey(id))!.sealedSecret, sealedSecret);
  await catalog.close();
});
