import assert from "node:assert/strict";
import type { AuditEntry } from "#model/audit.ts";
import { onEachDatabase } from "./on-each-database.ts";
import { sampleProject } from "./samples.ts";

const other = "11111111111111111111111111111111";
const page = { limit: 100, offset: 0 };

const sampleEntry = (given: Partial<AuditEntry>): AuditEntry => ({
  id: "00000000-0000-4000-8000-000000000001",
  projectId: sampleProject,
  targetProjectId: null,
  userId: "u1",
  userName: "demo",
  domainId: "default",
  credential: "token",
  credentialId: "t1",
  dialect: "cbr",
  operation: "CreateVault",
  action: "cbr:vaults:create",
  event: "createVault",
  resourceType: null,
  resourceId: null,
  resourceName: null,
  requestId: "req-1",
  address: "127.0.0.1",
  status: null,
  errorCode: null,
  times: 1,
  createdAt: 1,
  endedAt: null,
  ...given,
});

onEachDatabase("audit entries are kept, ended, found within their project and removed when old", async ({ audit }) => {
  const first = sampleEntry({});
  const second = sampleEntry({ id: "00000000-0000-4000-8000-000000000002", createdAt: 2, userId: "u2", userName: "admin", status: 403 });
  const foreign = sampleEntry({ id: "00000000-0000-4000-8000-000000000003", createdAt: 3, projectId: other, status: 200 });
  for (const entry of [first, second, foreign]) await audit.insert(entry);
  const ended = { status: 200, endedAt: 9, resourceId: "v", times: 4 };
  await audit.update(first.id, ended);
  assert.deepEqual(await audit.list(sampleProject, {}, page), { items: [second, { ...first, ...ended }], count: 2 });
  const ids = async (filter: object) => (await audit.list(sampleProject, filter, page)).items.map(({ id }) => id.slice(-1));
  assert.deepEqual(await ids({ user: "demo" }), ["1"]);
  assert.deepEqual(await ids({ user: "u2" }), ["2"]);
  assert.deepEqual(await ids({ refused: true }), ["2"]);
  assert.deepEqual(await ids({ refused: false, allProjects: true }), ["3", "1"]);
  assert.deepEqual(await ids({ createdFrom: 2, createdTo: 2, operation: "CreateVault", credentialId: "t1" }), ["2"]);
  assert.equal(await audit.removeOlder(3, 1), 1);
  assert.deepEqual(await ids({ allProjects: true }), ["3", "2"]);
  assert.equal(await audit.removeOlder(3, 10), 1);
  assert.equal(await audit.removeOlder(3, 10), 0);
});
