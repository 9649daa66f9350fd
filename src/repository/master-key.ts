import { closeSync, fchmodSync, fstatSync, fsyncSync, linkSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Random } from "#platform/random.ts";
import { RepositoryError } from "./engine-types.ts";

/*
 * Master key file, mode 0600, text:
 *
 *   opencbr-master-key-v1
 *   <32 bytes as 64 hex digits or as base64>
 */
const header = "opencbr-master-key-v1";
const maxFileBytes = 1024;

/** The 32 bytes in the text of a master key file; `wrongMasterKey` when it is not one. */
export function parseMasterKey(text: string, path: string): Uint8Array {
  const refuse = (what: string): RepositoryError => new RepositoryError("wrongMasterKey", `${path} ${what}`);
  const lines = text.split("\n").map((line) => line.trim());
  if (lines[0] !== header) throw refuse(`is not a master key file: its first line is not ${header}`);
  const rest = lines.slice(1).filter((line) => line !== "");
  const [value] = rest;
  if (rest.length !== 1 || value === undefined) throw refuse("does not hold one key");
  if (/^[0-9a-fA-F]{64}$/.test(value)) return Buffer.from(value, "hex");
  if (/^[A-Za-z0-9+/]{43}=$/.test(value)) return Buffer.from(value, "base64");
  throw refuse("does not hold 32 bytes as hex or base64");
}

/**
 * Reads a master key file. Errors: `wrongMasterKey` when it is no such file, or others than its owner may use it;
 * a file that is missing or unreadable is the system's own error.
 */
export function loadMasterKey(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const { mode } = fstatSync(fd);
    if ((mode & 0o077) !== 0)
      throw new RepositoryError(
        "wrongMasterKey",
        `${path} may be used by others (mode ${(mode & 0o777).toString(8).padStart(4, "0")}): set it to 0600, and consider the key known`,
      );
    const bytes = Buffer.alloc(maxFileBytes);
    return parseMasterKey(bytes.toString("latin1", 0, readSync(fd, bytes)), path);
  } finally {
    closeSync(fd);
  }
}

/** Reads the master key file, or makes it with a new key when it is missing. Durable when it returns. Errors as {@link loadMasterKey}. */
export function loadOrCreateMasterKey(path: string, random: Random): Uint8Array {
  try {
    return loadMasterKey(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  storeMasterKey(path, random.bytes(32), random);
  return loadMasterKey(path);
}

/** Writes a master key file under a name that is free; when the name is taken, what it holds counts. Durable when it returns. */
export function storeMasterKey(path: string, masterKey: Uint8Array, random: Random): void {
  const temp = `${path}.${random.uuid()}.tmp`;
  const fd = openSync(temp, "wx", 0o600);
  try {
    try {
      fchmodSync(fd, 0o600);
      writeSync(fd, `${header}\n${Buffer.from(masterKey).toString("hex")}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    try {
      linkSync(temp, path);
    } catch (error) {
      // Someone else was first: theirs counts.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  } finally {
    unlinkSync(temp);
  }
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
