import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readDocument, readProjectState } from "./readDocument.ts";

const projectId = "a".repeat(32);
const backupId = "11111111-1111-4111-8111-111111111111";
const whole = {
  backup: { id: backupId, projectId, vaultId: "v", checkpointId: "c", resourceId: "r", parentId: null },
  vault: { id: "v" },
  checkpoint: { id: "c" },
  resource: { id: "r" },
  parent: null,
};

test("fuzz: whatever JSON a root object holds, it is a document of that backup or the reason why not", () => {
  const expected = { projectId, backupId };
  assert.equal(typeof readDocument(whole, expected), "object");
  const mutated = fc
    .tuple(fc.constantFrom("backup", "vault", "checkpoint", "resource", "parent", "siblings", "bindings"), fc.jsonValue())
    .map(([member, value]) => ({ ...whole, [member]: value }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), mutated), (json) => {
      const read = readDocument(json, expected);
      if (typeof read === "string") return;
      assert.equal(read.backup.id, backupId);
      assert.equal(read.vault?.id, read.backup.vaultId);
      assert.ok(read.siblings.every((each) => typeof each === "object") && read.bindings.every((each) => typeof each === "object"));
    }),
  );
});

test("what a document must tell is asked for by name", () => {
  const wrong: [object, RegExp][] = [
    [{ ...whole, vault: { id: "w" } }, /no vault/],
    [{ ...whole, checkpoint: null }, /no restore point/],
    [{ ...whole, resource: {} }, /no resource/],
    [{ ...whole, backup: { ...whole.backup, id: "x" } }, /another backup's/],
    [{ ...whole, backup: { ...whole.backup, parentId: "p" } }, /server backup/],
  ];
  for (const [document, says] of wrong) assert.match(readDocument(document, { projectId, backupId }) as string, says);
});

test("fuzz: a state is that of the project, with every list there, or the reason why not", () => {
  const domain = { id: "default", name: "Default" };
  const state = { format: 1, domain, project: { id: projectId, domainId: "default" }, vaults: [] };
  const read = readProjectState(state, projectId);
  assert.ok(typeof read === "object" && read.failed.length === 0 && read.resources.length === 0);
  const mutated = fc
    .tuple(fc.constantFrom("format", "domain", "project", "vaults", "failed"), fc.jsonValue())
    .map(([member, value]) => ({ ...state, [member]: value }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), mutated), (json) => {
      const told = readProjectState(json, projectId);
      assert.ok(typeof told === "string" || told.project.id === projectId);
    }),
  );
});
