import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCatalog } from "./open.ts";
import type { Catalog } from "./tables.ts";

/** The databases that every catalog test runs on: each opens an empty catalog and says how to be rid of it. */
const databases: Record<string, () => Promise<{ catalog: Catalog; dispose: () => Promise<void> }>> = {
  async memory() {
    const catalog = await openCatalog({ path: ":memory:" });
    return { catalog, dispose: () => catalog.close() };
  },
  async file() {
    const folder = mkdtempSync(join(tmpdir(), "catalog-"));
    const catalog = await openCatalog({ path: join(folder, "catalog.db") });
    return {
      catalog,
      async dispose() {
        await catalog.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
};

/** One test, on an empty catalog of each database in turn. */
export function onEachDatabase(name: string, body: (catalog: Catalog) => Promise<void>): void {
  for (const [database, open] of Object.entries(databases)) {
    test(`${name} (${database})`, async () => {
      const { catalog, dispose } = await open();
      try {
        await body(catalog);
      } finally {
        await dispose();
      }
    });
  }
}
