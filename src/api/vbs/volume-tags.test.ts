import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, projectA, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { newVolume, own, unknownId } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

test("the tags of a volume are one map, replaced as a whole, the same for our own operations", async () => {
  const id = await newVolume(service, "tagged");
  const at = `/v2/${projectA}/os-vendor-tags/volumes/${id}`;
  assert.deepEqual((await ask(service, "GET", at)).body, { tags: {} });
  const set = await ask(service, "PUT", at, { body: { tags: { env: "prod", team: "" } } });
  assert.deepEqual([set.status, set.body], [200, { tags: { env: "prod", team: "" } }]);
  const resource = `${own}/resources/${id}`;
  assert.deepEqual((await ask(service, "GET", resource)).body.resource.tags, [
    { key: "env", value: "prod" },
    { key: "team", value: "" },
  ]);
  const updated = await ask(service, "PUT", resource, { body: { resource: { tags: [{ key: "only" }] } } });
  assert.deepEqual([updated.status, updated.body.resource.tags], [200, [{ key: "only", value: null }]]);
  assert.deepEqual((await ask(service, "GET", `/volume${at}`)).body, { tags: { only: "" } });
  assert.deepEqual((await ask(service, "PUT", at, { body: { tags: {} } })).body, { tags: {} });
  for (const body of [{}, { tags: [] }, { tags: { "a=b": "" } }, { tags: { a: 1 } }, { tags: { ["k".repeat(37)]: "" } }]) {
    const answer = await ask(service, "PUT", at, { body });
    assert.deepEqual([answer.status, Object.keys(answer.body)], [400, ["badRequest"]], JSON.stringify(body));
  }
  assert.equal((await ask(service, "GET", `/v2/${projectA}/os-vendor-tags/volumes/${unknownId}`)).body.itemNotFound.code, 404);
  assert.equal((await ask(service, "PUT", at, { as: `reader@${projectA}`, body: { tags: {} } })).status, 403);
});
