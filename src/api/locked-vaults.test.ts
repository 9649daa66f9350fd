import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, projectA, type DialectApp, openDialectApp } from "../../test/support/dialect-app.ts";
import { cbr, stored } from "../../test/support/dialect-fixtures.ts";
import { listRoutes } from "./http/routes.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

test("no dialect deletes a backup of a locked vault, whoever asks", async () => {
  const { vaultId, full, parent } = await stored(service);
  assert.equal((await ask(service, "PUT", `${cbr}/vaults/${vaultId}`, { body: { vault: { locked: true } } })).status, 200);
  const { catalog } = service.context;
  const at = (path: string, backupId: string) => path.replace(":project_id", projectA).replaceAll(/:backup_id/g, backupId);
  const routes = listRoutes(service.app).filter(({ path }) => path.includes(":backup_id") && !/:(?!project_id|backup_id)/.test(path));
  let tried = 0;
  for (const { route, path, dialect } of routes) {
    const isDeletion = route.method === "DELETE" && path.endsWith("/backups/:backup_id");
    const isAction = route.method === "POST" && path.endsWith("/action");
    if (!isDeletion && !isAction) continue;
    for (const as of ["member", "admin"].map((role) => `${role}@${projectA}`)) {
      for (const backup of dialect === "cbr" ? [full, parent] : [full]) {
        const body = isAction ? { body: { "os-force_delete": {} } } : {};
        const answer = await ask(service, route.method as "DELETE", at(path, backup.id), { as, ...body });
        assert.ok(answer.status >= 400 && answer.status < 500, `${route.method} ${path} as ${as}: ${answer.status}`);
        if (isDeletion) assert.match(answer.raw.toString(), /locked vault/, path);
        if (isDeletion && dialect === "cbr") assert.equal(answer.body.error_code, "BackupService.6220");
        assert.equal((await catalog.backups.get(projectA, backup.id))?.status, "available");
        tried++;
      }
    }
  }
  assert.ok(tried >= 12, `${tried} deletions were tried`);
  const deleted = await ask(service, "DELETE", `${cbr}/vaults/${vaultId}`, { as: `admin@${projectA}` });
  assert.deepEqual([deleted.status, deleted.body.error_code], [400, "BackupService.6111"]);
});
