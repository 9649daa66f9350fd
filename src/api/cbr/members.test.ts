import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, type DialectApp, openDialectApp, projectA, projectB } from "../../../test/support/dialect-app.ts";
import { dialects } from "../dialects.ts";
import { billing, stored, unknownId } from "../../../test/support/dialect-fixtures.ts";

const projectC = "00000000000000000000000000000003";
const serverBilling = { ...billing, object_type: "server" };
let service: DialectApp;
before(async () => {
  service = await openDialectApp();
  const { identity } = service.context.catalog;
  await identity.insertDomain({ id: "default", name: "Default" });
  for (const id of [projectA, projectB, projectC])
    await identity.insertProject({ id, domainId: "default", name: id, description: "", enabled: id !== projectC });
});
after(() => service.close());

type Method = Parameters<typeof ask>[1];
const inProject =
  (projectId: string, role = "member") =>
  (method: Method, path: string, body?: unknown) =>
    ask(service, method, `/v3/${projectId}/${path}`, { as: `${role}@${projectId}`, ...(body === undefined ? {} : { body }) });
const owner = inProject(projectA);
const receiver = inProject(projectB);
const stranger = inProject(projectC);

async function newVault(as: typeof owner, kind = serverBilling): Promise<string> {
  const name = `v-${service.context.random.uuid().slice(0, 8)}`;
  return (await as("POST", "vaults", { vault: { name, billing: kind, resources: [] } })).body.vault.id;
}

/** Backups of project A whose disks are not encrypted. */
async function plain() {
  const made = await stored(service);
  for (const { id } of [made.child, made.full]) await service.context.catalog.backups.update(id, { encrypted: false, encryption: null });
  return made;
}

/** A server backup of project A that is offered to project B. */
async function offered() {
  const { parent, child, vaultId } = await plain();
  const added = await owner("POST", `backups/${parent.id}/members`, { members: [projectB] });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  return { id: parent.id, child: child.id, vaultId, member: added.body.members[0] };
}

describe("CBR: members", () => {
  test("the life of a share, with the fields that clients read", async () => {
    const { id, member } = await offered();
    const { id: _, created_at: createdAt, ...rest } = member;
    assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.deepEqual(rest, { backup_id: id, dest_project_id: projectB, status: "pending", vault_id: null, image_id: null, updated_at: null });
    const listed = { members: [member], count: 1, limit: 1000, offset: 0 };
    for (const as of [owner, receiver]) {
      assert.deepEqual((await as("GET", `backups/${id}/members`)).body, listed);
      assert.deepEqual((await as("GET", `backups/${id}/members/${projectB}`)).body, { member });
    }
    for (const query of ["status=accepted", "image_id=x", "status=x", `dest_project_id=${projectC}`, `vault_id=${unknownId}`, "offset=1"])
      assert.deepEqual((await owner("GET", `backups/${id}/members?${query}`)).body.members, [], query);
    assert.equal((await owner("GET", `backups/${id}/members?sort=shape`)).status, 400);
    assert.equal((await owner("GET", `backups/${id}/members?status=pending&sort=created_at:asc&limit=1`)).body.count, 1);

    const vaultId = await newVault(receiver);
    const accepted = await receiver("PUT", `backups/${id}/members/${projectB}`, { status: "accepted", vault_id: vaultId });
    assert.equal(accepted.status, 200);
    assert.deepEqual([accepted.body.member.status, accepted.body.member.vault_id], ["accepted", vaultId]);
    assert.notEqual(accepted.body.member.updated_at, null);
    const shown = (await receiver("GET", `backups/${id}`)).body.backup;
    assert.deepEqual(
      [shown.vault_id, shown.project_id, shown.children.length, shown.extend_info.supported_restore_mode, shown.extend_info.snapshot_id],
      [vaultId, projectA, 1, "na", null],
    );
    const deleted = await owner("DELETE", `backups/${id}/members/${projectB}`);
    assert.deepEqual([deleted.status, deleted.raw.length], [204, 0]);
    assert.equal((await receiver("GET", `backups/${id}`)).status, 404);
    assert.equal((await owner("GET", `backups/${id}/members/${projectB}`)).body.error_code, "BackupService.6705");
  });

  test("lists of backups tell what is shared, by own_type and member_status", async () => {
    const { id, child } = await offered();
    const ids = async (as: typeof owner, query: string): Promise<string[]> => {
      const { body } = await as("GET", `backups?${query}`);
      return body.backups.map((backup: { id: string }) => backup.id).filter((each: string) => each === id || each === child);
    };
    assert.deepEqual(await ids(receiver, ""), []);
    assert.deepEqual(await ids(receiver, "own_type=shared"), []);
    assert.deepEqual(await ids(receiver, "own_type=shared&member_status=pending"), [id]);
    assert.deepEqual(await ids(owner, "member_status=pending"), [id]);
    assert.deepEqual(await ids(owner, "member_status=accepted"), []);
    await receiver("PUT", `backups/${id}/members/${projectB}`, { status: "accepted", vault_id: await newVault(receiver) });
    assert.deepEqual(await ids(receiver, "own_type=shared"), [id]);
    assert.deepEqual(await ids(receiver, "own_type=shared&member_status=pending"), []);
    assert.deepEqual(await ids(receiver, "own_type=all_granted"), [id]);
    assert.deepEqual(await ids(receiver, "own_type=private"), []);
    assert.deepEqual(await ids(receiver, `own_type=shared&parent_id=${id}`), [child]);
    assert.deepEqual(await ids(owner, "own_type=all_granted"), [id]);
    assert.deepEqual(await ids(receiver, "own_type=other"), []);
    assert.deepEqual(await ids(receiver, "member_status=other"), []);
  });

  test("who may ask what: owner, receiver in each state, stranger, reader; and other dialects show a project its own only", async () => {
    const { id, child } = await offered();
    const target = { restore: { server_id: unknownId, mappings: [{ backup_id: child, volume_id: unknownId }] } };
    const asked: [string, Method, string, unknown?][] = [
      ["show", "GET", `backups/${id}`],
      ["child", "GET", `backups/${child}`],
      ["members", "GET", `backups/${id}/members`],
      ["member", "GET", `backups/${id}/members/${projectB}`],
      ["other member", "GET", `backups/${id}/members/${projectC}`],
      ["restore", "POST", `backups/${id}/restore`, target],
      ["share on", "POST", `backups/${id}/members`, { members: [projectA] }],
      ["delete", "DELETE", `backups/${id}`],
      ["checkpoint", "GET", `checkpoints/${id}`],
    ];
    const answers = async (as: typeof owner) => {
      const told: Record<string, string> = {};
      for (const [name, method, path, body] of asked) {
        const answer = await as(method, path, body);
        told[name] = `${answer.status}${answer.status < 300 ? "" : ` ${answer.body.error_code.replace("BackupService.", "")}`}`;
      }
      return told;
    };
    const nothing = Object.fromEntries(asked.map(([name]) => [name, "404 6200"]));
    const outside = { ...nothing, checkpoint: "404 6217" };
    assert.deepEqual(await answers(stranger), outside);
    const party = { ...outside, members: "200", member: "200", "other member": "404 6705" };
    assert.deepEqual(await answers(receiver), party);
    await receiver("PUT", `backups/${id}/members/${projectB}`, { status: "rejected" });
    assert.deepEqual(await answers(receiver), party);
    await receiver("PUT", `backups/${id}/members/${projectB}`, { status: "accepted", vault_id: await newVault(receiver) });
    const accepted = { ...party, show: "200", child: "200", restore: "404 7100", "share on": "400 6714", delete: "400 6201" };
    assert.deepEqual(await answers(receiver), accepted);
    assert.deepEqual(await answers(stranger), outside);
    assert.equal((await inProject(projectB, "reader")("PUT", `backups/${id}/members/${projectB}`, { status: "rejected" })).status, 403);
    assert.equal((await inProject(projectA, "reader")("POST", `backups/${id}/members`, { members: [projectB] })).status, 403);
    assert.equal((await inProject(projectA, "reader")("GET", `backups/${id}/members`)).status, 200);
    const asB = { as: `member@${projectB}` };
    for (const path of [
      `/volume/v3/${projectB}/backups/${child}`,
      `/volume/v2/${projectB}/backups/${child}`,
      `/opencbr/v1/${projectB}/backups/${child}/data`,
    ])
      assert.equal((await ask(service, "GET", path, asB)).status, 404, path);
    await receiver("PUT", `backups/${id}/members/${projectB}`, { status: "pending" });
    assert.deepEqual(await answers(receiver), party);
    await owner("DELETE", `backups/${id}/members/${projectB}`);
    assert.deepEqual(await answers(receiver), outside);
  });

  test("whatever can be asked about a backup, in any dialect: its receiver is answered by a few operations of CBR, others by none", async () => {
    const { id, child } = await offered();
    const bodies: Record<string, unknown> = {
      UpdateBackup: { backup: { name: "taken" } },
      RestoreBackup: { restore: { server_id: unknownId, mappings: [] } },
      AddMember: { members: [projectA] },
      UpdateMemberStatus: { status: "pending" },
      CopyBackup: { replicate: { destination_project_id: projectB, destination_region: "RegionOne", destination_vault_id: unknownId } },
      RestoreBackupV3: { restore: { name: "taken" } },
      RestoreBackupV2: { restore: { name: "taken" } },
      UpdateBackupV3: { backup: { name: "taken" } },
      UpdateBackupV2: { backup: { name: "taken" } },
      BackupActionV3: { "os-force_delete": {} },
      BackupActionV2: { "os-force_delete": {} },
      RestoreCloudBackup: { restore: { volume_id: unknownId } },
    };
    const routes = dialects({ refuseDependentDeletes: false, serviceMetadataType: "seed" })
      .filter(({ prefixes }) => prefixes[0]!.includes(":project_id"))
      .flatMap(({ name, prefixes, routes: some }) =>
        some.filter(({ path }) => path.includes(":backup_id")).map((route) => ({ ...route, name, url: prefixes[0]! + route.path })),
      )
      .filter(({ operation }) => operation !== "DeleteMember");
    assert.ok(routes.length >= 25, `${routes.length} routes`);
    const answered = async (project: string): Promise<string[]> => {
      const found: string[] = [];
      for (const { method, url, operation, name } of routes) {
        const backupId = name === "cbr" ? id : child;
        const path = url.replace(":project_id", project).replace(":backup_id", backupId).replace(":member_id", project);
        const headers = { "openstack-api-version": "volume 3.70" };
        const body = bodies[operation];
        const { status, body: told } = await ask(service, method as Method, path, { as: `member@${project}`, headers, ...(body ? { body } : {}) });
        if (status < 400) found.push(operation);
        else
          assert.ok(
            [403, 404].includes(status) || told?.error_code === undefined || !String(told.error_code).endsWith("9900"),
            `${operation} was not asked: ${path}`,
          );
        assert.ok(status < 500, `${operation}: ${status}`);
      }
      return found.toSorted();
    };
    const before = JSON.stringify((await owner("GET", `backups/${id}`)).body);
    const own = ["ShowMemberDetail", "ShowMembersDetail", "UpdateMemberStatus"];
    assert.deepEqual(await answered(projectC), []);
    assert.deepEqual(await answered(projectB), own, "offered");
    bodies["UpdateMemberStatus"] = { status: "rejected" };
    assert.deepEqual(await answered(projectB), own, "rejected");
    bodies["UpdateMemberStatus"] = { status: "accepted", vault_id: await newVault(receiver) };
    assert.deepEqual(await answered(projectB), own, "accepted in the course of it");
    assert.deepEqual(await answered(projectB), ["ShowBackup", ...own], "accepted");
    const volumes = (as: string, backupId: string) =>
      ask(service, "POST", `/volume/v3/${as}/volumes`, {
        as: `member@${as}`,
        headers: { "openstack-api-version": "volume 3.47" },
        body: { volume: { name: "copy", backup_id: backupId } },
      });
    assert.equal((await volumes(projectB, child)).status, 202);
    assert.equal((await volumes(projectC, child)).status, 404);
    await owner("DELETE", `backups/${id}/members/${projectB}`);
    assert.deepEqual(await answered(projectB), [], "taken back");
    assert.equal((await volumes(projectB, child)).status, 404);
    assert.equal(JSON.stringify((await owner("GET", `backups/${id}`)).body), before, "the owner's backup is what it was");
  });

  test("each refusal has its code, and adds nobody", async () => {
    const { parent, child, full, vaultId } = await plain();
    const { catalog } = service.context;
    const share = async (id: string, body: unknown) => {
      const answer = await owner("POST", `backups/${id}/members`, body);
      return [answer.status, answer.body.error_code?.replace("BackupService.", "")];
    };
    const refused: [string, unknown, number, string][] = [
      [parent.id, {}, 400, "9900"],
      [parent.id, { members: [] }, 400, "9900"],
      [parent.id, { members: Array.from({ length: 11 }, () => projectB) }, 400, "9900"],
      [parent.id, { members: [projectB], domains: ["d"] }, 400, "6707"],
      [parent.id, { members: [projectB, projectB] }, 400, "6703"],
      [parent.id, { members: [projectA] }, 400, "6704"],
      [parent.id, { members: ["x"] }, 400, "6704"],
      [parent.id, { members: ["f".repeat(32)] }, 400, "6704"],
      [parent.id, { members: [projectC] }, 400, "6704"],
      [parent.id, { members: [projectB, projectC] }, 400, "6704"],
      [child.id, { members: [projectB] }, 400, "6700"],
      [unknownId, { members: [projectB] }, 404, "6200"],
    ];
    for (const [id, body, status, code] of refused) assert.deepEqual(await share(id, body), [status, code], JSON.stringify(body));
    await catalog.backups.update(child.id, { status: "error" });
    assert.deepEqual(await share(parent.id, { members: [projectB] }), [400, "6702"]);
    await catalog.backups.update(child.id, { status: "available", encrypted: true });
    assert.deepEqual(await share(parent.id, { members: [projectB] }), [400, "6709"]);
    await catalog.backups.update(child.id, { encrypted: false });
    await catalog.vaults.update(vaultId, { status: "frozen" });
    assert.deepEqual(await share(parent.id, { members: [projectB] }), [400, "6712"]);
    await catalog.vaults.update(vaultId, { status: "available" });
    assert.equal((await owner("GET", `backups/${parent.id}/members`)).body.count, 0);

    const others = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(32).replace(/^0+$/, "a".repeat(32)));
    for (const id of others) await catalog.identity.insertProject({ id, domainId: "default", name: id, description: "", enabled: true });
    assert.deepEqual(await share(parent.id, { members: others }), [200, undefined]);
    assert.deepEqual(await share(parent.id, { members: [projectB] }), [400, "6701"]);
    assert.deepEqual(await share(full.id, { members: [projectB] }), [200, undefined]);

    const { id } = await offered();
    const answer = async (body: unknown) => {
      const told = await receiver("PUT", `backups/${id}/members/${projectB}`, body);
      return [told.status, told.body.error_code?.replace("BackupService.", "")];
    };
    assert.deepEqual(await answer({ status: "maybe" }), [400, "6706"]);
    assert.deepEqual(await answer({}), [400, "9900"]);
    assert.deepEqual(await answer({ status: "accepted" }), [400, "6706"]);
    assert.deepEqual(await answer({ status: "accepted", vault_id: unknownId }), [404, "6105"]);
    assert.deepEqual(await answer({ status: "accepted", vault_id: await newVault(receiver, billing) }), [400, "6713"]);
    assert.deepEqual(await answer({ status: "accepted", vault_id: vaultId }), [404, "6105"], "the owner's vault is not the receiver's");
    assert.equal((await owner("PUT", `backups/${id}/members/${projectB}`, { status: "rejected" })).body.error_code, "BackupService.6708");
  });
});
