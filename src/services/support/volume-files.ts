import { constants } from "node:fs";
import { copyFile, open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { DomainError } from "#model/errors.ts";
import { openFileSource } from "#sources/file.ts";
import { partSuffix } from "./paths.ts";

const copyPieceBytes = 4 * 1024 * 1024;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

/** What the file system says, as an error that a caller understands; anything else is passed on. */
export function storageError(error: unknown): unknown {
  switch (codeOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new DomainError("storageFull", "There is no space left for volumes.", { cause: error });
    case "EFBIG":
      return new DomainError("invalidRequest", "size: is more than the file system below the volumes can hold", { field: "size", cause: error });
    default:
      return error;
  }
}

/** Makes renames and removals in the folder of `path` durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A new sparse file of exactly `sizeBytes`, all hole. */
export async function createSparse(path: string, sizeBytes: number): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.truncate(sizeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") await rm(path, { force: true });
    throw storageError(error);
  }
}

/** Bytes of a file or block device. */
export function fileSize(path: string): number {
  const source = openFileSource(path);
  try {
    return source.sizeBytes;
  } finally {
    source.close();
  }
}

/** Makes a sparse file longer; what is new reads as zeros. */
export async function growSparse(file: FileHandle, sizeBytes: number): Promise<void> {
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } catch (error) {
    throw storageError(error);
  }
}

/** Replaces `path` by `from` in one step, durably. */
export async function replaceFile(from: string, path: string): Promise<void> {
  await rename(from, path);
  await syncFolder(path);
}

/** Shares the blocks of `from` with the new file `to` where the file system can; tells whether it could. */
export async function cloneFile(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST" || codeOf(error) === "ENOENT") throw error;
    await rm(to, { force: true });
    return false;
  }
}

/**
 * Copies the data extents of `from` into the new file `to` of `sizeBytes`; holes stay holes. In bounded pieces, off the event loop.
 * When it fails, `to` is gone.
 */
export async function copySparse(from: string, to: string, sizeBytes: number): Promise<void> {
  const source = openFileSource(from);
  try {
    const [input, output] = [await open(from, "r"), await open(to, "wx", 0o600)];
    try {
      await output.truncate(sizeBytes);
      const piece = Buffer.allocUnsafe(copyPieceBytes);
      for (const extent of source.allocatedExtents()) {
        for (let at = extent.offset, end = extent.offset + extent.length; at < end;) {
          const { bytesRead } = await input.read(piece, 0, Math.min(piece.length, end - at), at);
          if (bytesRead === 0) throw new DomainError("sourceUnavailable", "The source became shorter while it was copied.");
          for (let done = 0; done < bytesRead;) done += (await output.write(piece, done, bytesRead - done, at + done)).bytesWritten;
          at += bytesRead;
        }
      }
      await output.sync();
    } finally {
      await Promise.all([input.close(), output.close()]);
    }
    await syncFolder(to);
  } catch (error) {
    await rm(to, { force: true });
    throw storageError(error);
  } finally {
    source.close();
  }
}

export type CloneFile = typeof cloneFile;

/** A copy of `from` under the new name `to`, `sizeBytes` long: by shared blocks where possible. Seen whole under its name or not at all. */
export async function duplicate(clone: CloneFile, from: string, to: string, sizeBytes: number): Promise<"reflink" | "copy"> {
  const part = `${to}${partSuffix}`;
  await rm(part, { force: true });
  try {
    const cloned = await clone(from, part);
    if (!cloned) await copySparse(from, part, sizeBytes);
    else {
      const file = await open(part, "r+");
      try {
        await growSparse(file, sizeBytes);
      } finally {
        await file.close();
      }
    }
    await replaceFile(part, to);
    return cloned ? "reflink" : "copy";
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
