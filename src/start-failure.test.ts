import assert from "node:assert/strict";
import { test } from "node:test";
import { CatalogError } from "#catalog/errors.ts";
import { FolderLockedError } from "#platform/folder-lock.ts";
import { RepositoryError } from "#repository/engine-types.ts";
import { describeStartFailure, StartError } from "./start-failure.ts";

const settings = { data: "/d", host: "127.0.0.1", port: 8799 };
const errno = (code: string, syscall = "open"): Error => Object.assign(new Error(`${code}: x`), { code, syscall });
const sqlite = (errcode: number): Error => Object.assign(new Error("sqlite says so"), { code: "ERR_SQLITE_ERROR", errcode });

test("each reason is one sentence that names the folder or the port", () => {
  const told: [unknown, RegExp][] = [
    [new StartError("said"), /^said$/],
    [new FolderLockedError("x"), /^the data folder \/d is in use by another OpenCBR process$/],
    [new RepositoryError("wrongMasterKey", "check differs"), /^the master key \/d\/master\.key is not the one/],
    [new RepositoryError("newerFormat", "format 9"), /\/d cannot be used: format 9$/],
    [
      new CatalogError("corrupt", "the catalog is damaged: so"),
      /damaged: so\. Nothing was changed\. Move .* opencbr rebuild --from \/d\/store --data \/d$/,
    ],
    [errno("EADDRINUSE", "listen"), /^port 8799 on 127\.0\.0\.1 is taken/],
    [errno("EACCES", "listen"), /needs rights/],
    [errno("EACCES"), /\/d may not be written by this user/],
    [errno("EROFS"), /\/d is read-only$/],
    [errno("ENOSPC"), /\/d is full/],
    [errno("ENOTDIR"), /\/d cannot be made/],
    [sqlite(8), /it is read-only$/],
    [sqlite(13 | (1 << 8)), /the disk is full$/],
    [sqlite(999 << 8), /sqlite says so$/],
    [new Error("whatever"), /^the service cannot start: whatever$/],
  ];
  for (const [error, expected] of told) {
    const text = describeStartFailure(error, settings);
    assert.match(text, expected);
    assert.doesNotMatch(text, /\n/);
  }
});
