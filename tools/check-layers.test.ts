import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeImport } from "./check-layers.ts";
import { blankComments, importsOf } from "./imports.ts";

const judge = (file: string, specifier: string, typesOnly = false) => judgeImport(file, { specifier, typesOnly, line: 1 });

describe("importsOf", () => {
  it("sees every form of import", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type { B } from "#model/b.ts";',
      "import {\n  type C,\n  type D,\n} from '#model/c.ts';",
      'import { type E, f } from "./e.ts";',
      'import * as g from "node:fs";',
      'import "./side.ts";',
      'export { h } from "./h.ts";',
      'export * from "./i.ts";',
      'const j = await import("./j.ts");',
      'new Worker(new URL("./k-thread.ts", import.meta.url));',
    ].join("\n");
    assert.deepEqual(
      importsOf(text).map((found) => `${found.specifier}${found.typesOnly ? " types" : ""}`),
      ["./a.ts", "#model/b.ts types", "#model/c.ts types", "./e.ts", "node:fs", "./side.ts", "./h.ts", "./i.ts", "./j.ts", "./k-thread.ts"],
    );
  });

  it("gives the line", () => {
    assert.equal(importsOf('\n\nimport { a } from "./a.ts";')[0]?.line, 3);
  });

  it("sees nothing in comments, but keeps strings that look like them", () => {
    assert.deepEqual(importsOf('// import { a } from "./a.ts";\n/*\nimport { b } from "./b.ts";\n*/'), []);
    assert.equal(blankComments('const u = "http://x"; // gone').trimEnd(), 'const u = "http://x";');
  });
});

describe("judgeImport", () => {
  it("lets an open door pass", () => {
    assert.equal(judge("src/services/backups/showBackup.ts", "#catalog/tables.ts"), undefined);
    assert.equal(judge("src/api/cbr/backups.ts", "#services/backups/showBackup.ts"), undefined);
    assert.equal(judge("src/api/cbr/backups.ts", "../http/routes.ts"), undefined);
    assert.equal(judge("src/app.ts", "#api/listener.ts"), undefined);
  });

  it("names a closed door with its reason", () => {
    assert.match(judge("src/catalog/backups.ts", "#services/context.ts") ?? "", /catalog may not import services: catalog keeps rows/);
    assert.match(judge("src/platform/clock.ts", "#model/ids.ts") ?? "", /platform may not import model/);
    assert.match(judge("src/repository/pack.ts", "#catalog/tables.ts") ?? "", /repository may not import catalog/);
  });

  it("keeps model pure", () => {
    assert.match(judge("src/model/backup.ts", "node:fs") ?? "", /model may not import node:fs: model is pure/);
    assert.match(judge("src/model/backup.ts", "kysely") ?? "", /model is pure/);
    assert.equal(judge("src/model/backup.test.ts", "node:test"), undefined);
  });

  it("lets api name the catalog's types only", () => {
    assert.equal(judge("src/api/auth/tokens.ts", "#catalog/tables.ts", true), undefined);
    assert.match(judge("src/api/auth/tokens.ts", "#catalog/tables.ts") ?? "", /only types from catalog/);
  });

  it("keeps subfolders of another room private", () => {
    assert.match(judge("src/services/context.ts", "#catalog/sqlite/dialect.ts") ?? "", /private to catalog/);
    assert.match(judge("src/api/cbr/backups.ts", "#services/support/find.ts") ?? "", /private to services/);
    assert.match(judge("src/api/cbr/backups.ts", "#services/runs/runBackup.ts") ?? "", /private to services/);
    assert.equal(judge("src/worker/runner.ts", "#services/runs/runBackup.ts"), undefined);
  });

  it("wants another room by name and its own by path", () => {
    assert.match(judge("src/services/context.ts", "../catalog/tables.ts") ?? "", /imported as #room/);
    assert.match(judge("src/catalog/open.ts", "#catalog/tables.ts") ?? "", /by relative path/);
    assert.match(judge("src/catalog/open.ts", "#cellar/wine.ts") ?? "", /no room/);
    assert.match(judge("src/cellar/wine.ts", "#platform/clock.ts") ?? "", /no room/);
  });

  it("keeps the composition root to the command line", () => {
    assert.match(judge("src/services/context.ts", "#config.ts") ?? "", /composition root/);
    assert.equal(judge("src/cli/serve.ts", "#app.ts"), undefined);
  });
});
