import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { cbrAnswers, neverSucceeds } from "./cbr/answers.ts";
import { dialects } from "./dialects.ts";
import { openapiDocument } from "./openapi.ts";

const every = dialects({ refuseDependentDeletes: false, serviceMetadataType: "seed" });

/** What a page claims: `operation METHOD path status permission` of each table row that has a request in it. */
function claimed(page: string): string[] {
  const text = readFileSync(new URL(`../../docs/compatibility/${page}`, import.meta.url), "utf8");
  const rows = text.matchAll(/^\| (\w+) \| (GET|HEAD|POST|PUT|DELETE) `([^`]+)` \| (\d{3}) \|(?: `([^`]+)` \|)?/gm);
  return [...rows].map(([, operation, method, path, status, action]) => [operation, method, path, status, action ?? "public"].join(" ")).toSorted();
}

/** What is served below the prefixes, as a page writes it. */
function served(names: readonly string[], prefix: string, strip: RegExp | undefined): string[] {
  const lines = every
    .filter(({ name, prefixes }) => names.includes(name) && prefixes.includes(prefix))
    .flatMap(({ routes }) => routes)
    .map(({ operation, method, path, successStatus, action, access }) => {
      const isPublic = access === "public";
      return [
        strip === undefined ? operation : operation.replace(strip, ""),
        method,
        isPublic ? prefix + path : path,
        successStatus,
        isPublic ? "public" : action,
      ].join(" ");
    });
  return lines.toSorted();
}

describe("the pages on compatibility", () => {
  test("CBR: every operation that is served, and no other", () => {
    assert.deepEqual(claimed("cbr.md"), ["/v3/:project_id", "/v3", "/cbr"].flatMap((prefix) => served(["cbr"], prefix, undefined)).toSorted());
    assert.ok(claimed("cbr.md").length > 15, "the page was read");
  });

  test("Block Storage: both versions serve the same operations, and the page names them", () => {
    const v3 = served(["cinder"], "/volume/v3/:project_id", /V3$/);
    const v2 = served(["vbs"], "/volume/v2/:project_id", undefined).filter((line) => /^\w+V2 /.test(line));
    assert.deepEqual(v2.map((line) => line.replace("V2 ", " ")).toSorted(), v3);
    assert.deepEqual(claimed("block-storage.md"), [...v3, ...served(["cinder"], "/volume", undefined)].toSorted());
  });

  test("VBS: its own operations", () => {
    const own = served(["vbs"], "/v2/:project_id", undefined).filter((line) => !/^\w+V2 /.test(line));
    assert.deepEqual(claimed("vbs.md"), [...own, ...served(["vbs"], "/v1/:project_id", undefined)].toSorted());
    assert.ok(claimed("vbs.md").length > 4, "the page was read");
  });

  test("our own", () => {
    assert.deepEqual(claimed("opencbr.md"), served(["opencbr"], "/opencbr/v1/:project_id", undefined));
  });

  test("no two operations have one name, and every action is service:noun:verb", () => {
    const routes = every.flatMap(({ routes: some }) => some);
    const names = routes.map(({ operation }) => operation);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    for (const { action } of routes) assert.match(action, /^(cbr|volume|opencbr):[A-Za-z]+:[A-Za-z]+$/);
  });
});

describe("the description of the API", () => {
  test("CBR: every operation says what it answers, or that it answers nothing or an error", () => {
    const routes = every.filter(({ name }) => name === "cbr").flatMap(({ routes: some }) => some);
    const silent = routes.filter(({ schema, successStatus, operation }) => {
      return schema.response === undefined && successStatus !== 204 && !neverSucceeds.has(operation);
    });
    assert.deepEqual(
      silent.map(({ operation }) => operation),
      [],
    );
    const names = new Set(routes.map(({ operation }) => operation));
    assert.deepEqual(
      [...Object.keys(cbrAnswers), ...neverSucceeds].filter((name) => !names.has(name)),
      [],
    );
  });

  test("has every operation at every path, with parameters and bodies", () => {
    const routes = every.flatMap(({ name, prefixes, routes: some }) =>
      prefixes.flatMap((prefix) => some.map((route) => ({ dialect: name, path: prefix + route.path, route }))),
    );
    // oxlint-disable-next-line typescript/no-explicit-any -- looked into, key by key
    const document: any = JSON.parse(JSON.stringify(openapiDocument(routes, { version: "0", url: "http://cbr.test" })));
    const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((path) => Object.values(path));
    assert.equal(operations.length, routes.length);
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, routes.length);
    const show = document.paths["/v3/{project_id}/backups/{backup_id}"].get;
    assert.deepEqual(
      show.parameters.map((parameter: { name: string; in: string }) => `${parameter.in} ${parameter.name}`),
      ["path project_id", "path backup_id"],
    );
    assert.equal(document.paths["/v3/{project_id}/vaults"].post.requestBody.content["application/json"].schema.properties.vault.type, "object");
    assert.deepEqual(document.paths["/volume"].get.security, []);
  });
});
