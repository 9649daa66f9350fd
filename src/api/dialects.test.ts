import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { ask, projectA, type DialectApp, openDialectApp } from "../../test/support/dialect-app.ts";
import { unknownId } from "../../test/support/dialect-fixtures.ts";
import { listRoutes } from "./http/routes.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

describe("whatever is sent", () => {
  test("no body, query or header makes a 5xx, in any route", async () => {
    const routes = listRoutes(service.app);
    assert.ok(routes.length > 90);
    const text = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom("1", "true", "-1", unknownId, "%00", "bytes=0-1", "volume 3.45", "bytes 0-1/*"),
    );
    const query = fc.dictionary(
      fc.constantFrom("limit", "offset", "marker", "sort", "name", "status", "start_time", "id", "used_percent", "with_count", "sort_key"),
      text,
      { maxKeys: 3 },
    );
    const wrapped = fc
      .tuple(
        fc.constantFrom("vault", "checkpoint", "restore", "backup", "volume", "snapshot", "resource", "resources", "metadata", "os-extend"),
        fc.jsonValue({ maxDepth: 3 }),
      )
      .map(([key, value]) => JSON.stringify({ [key]: value }));
    const body = fc.oneof(fc.string(), fc.json({ maxDepth: 3 }), wrapped, fc.constant(undefined));
    await fc.assert(
      fc.asyncProperty(fc.nat(routes.length - 1), text, query, body, text, async (index, id, parameters, payload, header) => {
        const { route, path } = routes[index]!;
        const filled = path.replace(":project_id", projectA).replaceAll(/:[a-z_]+/g, encodeURIComponent(id === "" ? "x" : id));
        const clean = header.replaceAll(/[^\x20-\x7e]/g, "");
        const answer = await ask(service, route.method as "GET", `${filled}?${new URLSearchParams(parameters).toString()}`, {
          ...(route.method === "GET" || route.method === "HEAD" || payload === undefined ? {} : { body: payload }),
          headers: { "openstack-api-version": clean, range: clean, "content-range": clean, "content-type": "application/json" },
        });
        assert.ok(answer.status < 500, `${route.method} ${filled} ${String(payload)}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }),
      { numRuns: 600 },
    );
  });
});
