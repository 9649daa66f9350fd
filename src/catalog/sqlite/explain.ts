import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { CatalogError } from "../errors.ts";
import type { CatalogErrorCode } from "../errors.ts";

/** Primary result codes (https://www.sqlite.org/rescode.html). */
const meanings: Readonly<Record<number, readonly [CatalogErrorCode, string]>> = {
  5: ["locked", "is locked by another process"],
  6: ["locked", "is locked by another process"],
  8: ["readOnly", "cannot be written: the file or its folder is read-only"],
  10: ["ioFailed", "could not be read or written: the disk reported an error"],
  11: ["corrupt", "is damaged"],
  13: ["noSpace", "cannot grow: the disk is full"],
  14: ["cannotOpen", "cannot be opened"],
  19: ["constraint", "refused a row that contradicts another"],
  26: ["notADatabase", "is not a database"],
};

/** Tells an error of `node:sqlite` as a {@link CatalogError}; anything else is returned as it is. */
export function explainSqliteError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error;
  const [code, words] = meanings[error.errcode & 0xff] ?? [];
  if (code === undefined) return error;
  if (code === "cannotOpen") return new CatalogError(...whyNotOpened(path), error);
  return new CatalogError(code, `the catalog ${path} ${words} (SQLite: ${error.message})`, error);
}

function whyNotOpened(path: string): [CatalogErrorCode, string] {
  const folder = dirname(path);
  if (!existsSync(folder)) return ["cannotOpen", `the catalog ${path} cannot be opened: the folder ${folder} does not exist`];
  try {
    accessSync(existsSync(path) ? path : folder, constants.R_OK | constants.W_OK);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    return ["readOnly", `the catalog ${path} cannot be written: ${(error as Error).message}`];
  }
  return ["cannotOpen", `the catalog ${path} cannot be opened: it is not a regular file, or its folder takes no files`];
}
