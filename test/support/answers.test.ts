import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answerChecker, type CheckAnswer } from "./answers.ts";
import { ask, type DialectApp, openDialectApp, projectA } from "./dialect-app.ts";
import { cbr, newVault } from "./dialect-fixtures.ts";
import { openapiDocument } from "../../src/api/openapi.ts";
import { listRoutes } from "../../src/api/http/routes.ts";

let service: DialectApp;
let check: CheckAnswer;
const seen = new Map<string, number>();
before(async () => {
  service = await openDialectApp();
  check = answerChecker(JSON.parse(JSON.stringify(openapiDocument(listRoutes(service.app), { version: "0", url: "" }))), seen);
});
after(() => service.close());

test("an answer as it is described is let through; one with a key more, a key less or another type is not", async () => {
  const url = `${cbr}/vaults/${await newVault(service, "v")}`;
  const { body } = await ask(service, "GET", url);
  check("GET", url, 200, body);
  assert.equal(seen.get("ShowVault"), 1);
  const { name: _, ...nameless } = body.vault;
  const wrong: unknown[] = [
    undefined,
    { vault: nameless },
    { vault: { ...body.vault, more: 1 } },
    { vault: { ...body.vault, threshold: "80" } },
    { vault: { ...body.vault, billing: { ...body.vault.billing, status: "fine" } } },
    { ...body, more: 1 },
  ];
  for (const answer of wrong) assert.throws(() => check("GET", url, 200, answer), /ShowVault 200/);
});

test("the most exact path counts, refusals are held against the error's shape, and what is not described is let through", () => {
  check("GET", `${cbr}/vaults/summary`, 200, { size: 0, used_size: 0 });
  assert.throws(() => check("GET", `${cbr}/vaults/summary?x=1`, 200, { vault: {} }), /ShowSummary/);
  check("GET", `${cbr}/vaults/x`, 404, { error_code: "BackupService.6105", error_msg: "no" });
  assert.throws(() => check("GET", `${cbr}/vaults/x`, 404, { error: "no" }), /ShowVault 404/);
  check("DELETE", `${cbr}/vaults/x`, 204, undefined);
  check("GET", `/volume/v3/${projectA}/volumes`, 200, { anything: true });
  check("GET", "/nowhere", 200, 1);
});
