import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backupTransitions } from "./backup.ts";
import type { BackupStatus } from "./backup.ts";
import { createRoleBook, defaultRoleBook, parseRoles, RoleFileError } from "./roles.ts";
import { DomainError, errorKinds } from "./errors.ts";
import { isProjectId, isUuid } from "./ids.ts";
import { objectTypeOf, providerIds } from "./provider.ts";
import { taskIsOver } from "./task.ts";
import { naiveUtc, naiveUtcOrNull, parseUtc } from "./timestamps.ts";

test("a time is written in UTC with six digits and no zone", () => {
  assert.equal(naiveUtc(0), "1970-01-01T00:00:00.000000");
  assert.equal(naiveUtc(1_700_000_000_000_001), "2023-11-14T22:13:20.000001");
  assert.equal(naiveUtcOrNull(null), null);
  assert.equal(naiveUtcOrNull(5), "1970-01-01T00:00:00.000005");
});

test("every time from 1970 to 2255 is read back as it was written, with or without a UTC zone", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (us) => {
      const text = naiveUtc(us);
      for (const form of [text, `${text}Z`, `${text}+00:00`, text.replace("T", " ")]) assert.equal(parseUtc(form), us);
    }),
  );
});

test("fewer digits of a second are read as its larger parts", () => {
  assert.equal(parseUtc("1970-01-01T00:00:01"), 1_000_000);
  assert.equal(parseUtc("1970-01-01T00:00:01.5"), 1_500_000);
  assert.equal(parseUtc("1970-01-01T00:00:01.000010"), 1_000_010);
});

test("what is not such a time is not read", () => {
  const wrong = [
    "",
    "now",
    "2020-01-01",
    "2020-13-01T00:00:00",
    "2020-01-01T24:01:00",
    "2020-01-01T00:00:00+01:00",
    "2020-01-01T00:00:00.1234567",
    " 2020-01-01T00:00:00",
  ];
  for (const text of wrong) assert.equal(parseUtc(text), undefined, text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = parseUtc(text);
      assert.ok(read === undefined || Number.isSafeInteger(read));
    }),
  );
});

test("a day that its month does not have is not read", () => {
  assert.equal(parseUtc("2023-02-29T00:00:00"), undefined);
  assert.equal(parseUtc("2023-04-31T00:00:00"), undefined);
  assert.equal(parseUtc("2024-02-29T00:00:00"), Date.UTC(2024, 1, 29) * 1000);
});

test("every state of a backup can be reached, and deletion is always possible in the end", () => {
  const states = Object.keys(backupTransitions) as BackupStatus[];
  const reach = (from: BackupStatus): Set<BackupStatus> => {
    const seen = new Set<BackupStatus>([from]);
    for (const state of seen) for (const next of backupTransitions[state]) seen.add(next);
    return seen;
  };
  assert.deepEqual([...reach("waiting_protect")].toSorted(), states.toSorted());
  for (const state of states) assert.ok(reach(state).has("deleting"), state);
  for (const state of states) assert.ok(!backupTransitions[state].includes(state), state);
  assert.ok(!states.some((state) => backupTransitions[state].includes("waiting_protect")));
  assert.deepEqual(states.filter((state) => backupTransitions[state].includes("available")).toSorted(), [
    "protecting",
    "restoring",
    "waiting_delete",
    "waiting_restore",
  ]);
});

test("a reader looks, a member does, an administrator does what is the administrator's", () => {
  const { isAllowed } = defaultRoleBook;
  const allowed = (action: string) => (["reader", "member", "admin"] as const).filter((role) => isAllowed([role], action)).join(" ");
  assert.equal(allowed("cbr:backups:get"), "reader member admin");
  assert.equal(allowed("cbr:vaults:list"), "reader member admin");
  assert.equal(allowed("cbr:backups:delete"), "member admin");
  assert.equal(allowed("cbr:vaults:create"), "member admin");
  assert.equal(allowed("cbr:admin:get"), "admin");
  assert.equal(isAllowed([], "cbr:backups:get"), false);
  assert.equal(isAllowed(["reader", "member"], "cbr:backups:delete"), true);
});

test("an installation's own roles: patterns allow, a denial of any role wins, but over an administrator", () => {
  const book = createRoleBook(
    parseRoles({
      roles: {
        operator: { allow: ["cbr:*:get*", "cbr:*:list*", "cbr:vaults:backup", "cbr:backups:*"], deny: ["cbr:*:delete*"] },
        reader: { allow: ["cbr:vaults:list"] },
        nobody: { allow: [] },
        careful: { allow: [], deny: ["*:*:delete"] },
      },
    }),
  );
  assert.deepEqual(book.names.toSorted(), ["admin", "careful", "member", "nobody", "operator", "reader"]);
  const cases: [string[], string, boolean][] = [
    [["operator"], "cbr:vaults:backup", true],
    [["operator"], "cbr:vaults:create", false],
    [["operator"], "cbr:vaults:getTags", true],
    [["operator"], "cbr:backups:restore", true],
    [["operator"], "cbr:backups:delete", false],
    [["operator"], "volume:backups:list", false],
    [["operator"], "xcbr:vaults:backup", false],
    [["operator", "member"], "cbr:backups:delete", false],
    [["operator", "admin"], "cbr:backups:delete", true],
    [["careful", "member"], "volume:volumes:delete", false],
    [["careful", "member"], "volume:volumes:create", true],
    [["nobody"], "cbr:vaults:list", false],
    [["reader"], "cbr:vaults:list", true],
    [["reader"], "cbr:vaults:get", false],
    [["constructor"], "cbr:vaults:list", false],
  ];
  assert.deepEqual(book.idlePatterns(["cbr:backups:get", "cbr:vaults:list", "cbr:vaults:backup", "cbr:x:deleteAll"]), ["*:*:delete"]);
  // Twice: the second answer is a remembered one.
  for (const [held, action, expected] of [...cases, ...cases]) assert.equal(book.isAllowed(held, action), expected, `${held.join()} ${action}`);
});

test("a role file that is wrong is refused with the place", () => {
  const wrong: [unknown, RegExp][] = [
    [[], /"roles"/],
    [{ roles: [] }, /"roles"/],
    [{ roles: {}, extra: 1 }, /"extra" is not known/],
    [{ roles: { "a b": { allow: [] } } }, /"a b" is no name/],
    [{ roles: { admin: { allow: [] } } }, /roles\.admin/],
    [{ roles: { x: [] } }, /roles\.x must be an object/],
    [{ roles: { x: {} } }, /roles\.x\.allow must be a list/],
    [{ roles: { x: { allow: ["cbr:*"] } } }, /roles\.x\.allow\[0\]/],
    [{ roles: { x: { allow: ["cbr:*:*"], deny: ["cbr:*:*", 7] } } }, /roles\.x\.deny\[1\]/],
    [{ roles: { x: { allow: [], forbid: [] } } }, /roles\.x\.forbid is not known/],
  ];
  for (const [content, message] of wrong) {
    assert.throws(
      () => parseRoles(content),
      (error) => error instanceof RoleFileError && message.test(error.message),
      JSON.stringify(content),
    );
  }
});

test("ids have exactly their form", () => {
  assert.ok(isUuid("0daac4c5-6707-4851-97ba-169e36266b66"));
  for (const text of ["0DAAC4C5-6707-4851-97BA-169E36266B66", "0daac4c5670748519 7ba169e36266b66", "0daac4c5-6707-4851-97ba-169e36266b66\n", ""]) {
    assert.ok(!isUuid(text), text);
  }
  assert.ok(isProjectId("0de0de0de0de0de0de0de0de0de0de00"));
  assert.ok(!isProjectId("0de0de0de0de0de0de0de0de0de0de0"));
  for (const id of Object.values(providerIds)) assert.ok(isUuid(id));
  assert.equal(new Set(Object.values(providerIds)).size, Object.keys(providerIds).length);
  // Nothing of the last two kinds can be bound yet.
  assert.deepEqual([...Object.values(objectTypeOf), "file", "vmware"].toSorted(), Object.keys(providerIds).toSorted());
});

test("a task is over unless it waits or runs", () => {
  assert.deepEqual(
    (["waiting", "running", "success", "failed", "skipped", "timeout"] as const).filter((status) => !taskIsOver(status)),
    ["waiting", "running"],
  );
});

test("an expected failure carries its code, field and cause", () => {
  const cause = new Error("below");
  const error = new DomainError("vaultNotFound", "no vault", { field: "vault_id", cause });
  assert.deepEqual([error.code, error.field, error.cause, error.message], ["vaultNotFound", "vault_id", cause, "no vault"]);
  assert.equal("cause" in new DomainError("internal", "m"), false);
  for (const [code, kind] of Object.entries(errorKinds)) {
    assert.ok(kind.status >= 400 && kind.status < 600, code);
    assert.match(kind.cbr, /^BackupService\.\d{4}$/, code);
  }
});
