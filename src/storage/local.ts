import { constants } from "node:fs";
import { link, mkdir, open, opendir, readdir, rename, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkKey, checkRange } from "./key.ts";
import { StorageError } from "./store.ts";
import type { LocalFiles, ObjectStore, StorageErrorCode } from "./store.ts";

/*
 * Layout of the folder:
 *
 *   objects/<key>   one file per object, the key's segments as folders
 *   tmp/<n>         objects that are being written; swept at open
 *
 * A write goes to tmp/, is fsynced, is linked to its name (which fails when the name is taken), and the folder of that name is fsynced, as is
 * every folder above it that this store has not fsynced before.
 */

const codes: Record<string, StorageErrorCode> = {
  ENOSPC: "noSpace",
  EDQUOT: "noSpace",
  EFBIG: "noSpace",
  EROFS: "readOnly",
  EACCES: "readOnly",
  EPERM: "readOnly",
  ENOENT: "notFound",
  EISDIR: "notFound",
  ENOTDIR: "badKey",
  ENAMETOOLONG: "badKey",
};

/** What unlink and open say where there is no object: nothing, a folder, or an object above it. */
const absent = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? "";

function storageError(key: string, doing: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const errno = errnoOf(error);
  return new StorageError(codes[errno] ?? "unavailable", key, `${doing} ${key === "" ? "the store" : key}: ${errno || String(error)}`, error);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let position = 0;
  for (const part of parts) {
    for (let done = 0; done < part.length;) {
      const { bytesWritten } = await file.write(part, done, part.length - done, position);
      done += bytesWritten;
      position += bytesWritten;
    }
  }
}

/** Objects as files below one folder, which no other process may use at the same time (whoever opens the store sees to that). */
export class LocalStore implements ObjectStore, LocalFiles {
  readonly kind = "local";
  readonly location = "local";
  readonly #objects: string;
  readonly #tmp: string;
  /** Folders that are known to be durable, or are being made so. */
  readonly #folders = new Map<string, Promise<void>>();
  /** Keys being put where links are not to be had, so that two of them cannot both find the name free. */
  readonly #renaming = new Map<string, Promise<unknown>>();
  #nextTemp = 0;

  private constructor(folder: string) {
    this.#objects = join(folder, "objects");
    this.#tmp = join(folder, "tmp");
  }

  /** Opens the store in `folder`, made when missing, and sweeps what unfinished writes left. */
  static async open(folder: string): Promise<LocalStore> {
    const store = new LocalStore(folder);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await syncFolder(dirname(folder));
      for (const child of [store.#objects, store.#tmp]) await mkdir(child, { recursive: true, mode: 0o700 });
      await syncFolder(folder);
      for (const name of await readdir(store.#tmp)) await unlink(join(store.#tmp, name));
    } catch (error) {
      throw storageError("", "opening", error);
    }
    return store;
  }

  /** Opens the store in `folder` only to be read: nothing is made, swept or written, so that it may be on read-only media. */
  static openToRead(folder: string): LocalStore {
    return new LocalStore(folder);
  }

  pathOf(key: string): string {
    return join(this.#objects, ...checkKey(key).split("/"));
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    const path = this.pathOf(key);
    const temp = join(this.#tmp, `${process.pid}-${this.#nextTemp++}`);
    try {
      await this.#durableFolder(dirname(path));
      const exists = await stat(path).then(
        (found) => found.isFile(),
        () => false,
      );
      let outcome: "stored" | "exists" = "exists";
      if (!exists) {
        try {
          await this.#writeTemp(temp, parts);
          outcome = await this.#name(temp, path);
        } finally {
          await unlink(temp).catch((error: unknown) => {
            if (errnoOf(error) !== "ENOENT") throw error;
          });
        }
      }
      // Also when it exists: whoever made the name may not have come as far as this.
      await syncFolder(dirname(path));
      return outcome;
    } catch (error) {
      throw storageError(key, "storing", error);
    }
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    const path = this.pathOf(key);
    try {
      const file = await open(path, constants.O_RDONLY);
      try {
        const found = await file.stat();
        if (!found.isFile()) throw new StorageError("notFound", key, `there is no object ${key}`);
        const { offset, length } = range ?? { offset: 0, length: found.size };
        checkRange(key, found.size, { offset, length });
        // Not a Buffer, whose slice would share memory; not zeroed, for it is filled.
        const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
        for (let done = 0; done < length;) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) throw new StorageError("unavailable", key, `object ${key} became shorter while it was read`);
          done += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    } catch (error) {
      throw errnoOf(error) === "ENOTDIR"
        ? new StorageError("notFound", key, `there is no object ${key}`, error)
        : storageError(key, "reading", error);
    }
  }

  async stat(key: string): Promise<{ size: number } | undefined> {
    try {
      const found = await stat(this.pathOf(key));
      return found.isFile() ? { size: found.size } : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw storageError(key, "looking up", error);
    }
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    const folderPart = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    if (folderPart !== "") checkKey(folderPart.slice(0, -1));
    yield* this.#listFolder(folderPart, prefix);
  }

  async #listNames(folderKey: string): Promise<{ name: string; folder: boolean }[]> {
    const found: { name: string; folder: boolean }[] = [];
    try {
      for await (const entry of await opendir(join(this.#objects, folderKey), { bufferSize: 256 }))
        found.push({ name: entry.name, folder: entry.isDirectory() });
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw storageError(folderKey, "listing", error);
    }
    return found;
  }

  async *#listFolder(folderKey: string, prefix: string): AsyncIterable<{ key: string; size: number }> {
    for (const { name, folder } of await this.#listNames(folderKey)) {
      const key = folderKey + name;
      if (!key.startsWith(prefix) && !prefix.startsWith(`${key}/`)) continue;
      if (folder) {
        yield* this.#listFolder(`${key}/`, prefix);
        continue;
      }
      const found = await this.stat(key);
      if (found) yield { key, size: found.size };
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.pathOf(key);
    try {
      await unlink(path).catch((error: unknown) => {
        if (!absent.has(errnoOf(error))) throw error;
      });
      // Also when it was not there: whoever removed the name may not have come as far as this.
      await syncFolder(dirname(path)).catch((error: unknown) => {
        if (!absent.has(errnoOf(error))) throw error;
      });
    } catch (error) {
      throw storageError(key, "deleting", error);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#renaming.values());
  }

  async #writeTemp(temp: string, parts: readonly Uint8Array[]): Promise<void> {
    const file = await open(temp, "wx", 0o600);
    try {
      await writeAll(file, parts);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Gives the finished file its name unless that is taken. */
  async #name(temp: string, path: string): Promise<"stored" | "exists"> {
    try {
      await link(temp, path);
      return "stored";
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EEXIST") return "exists";
      if (errno !== "EPERM" && errno !== "ENOTSUP" && errno !== "ENOSYS" && errno !== "EMLINK") throw error;
    }
    return this.#renameIfAbsent(temp, path);
  }

  /** For file systems without links: look and rename, one at a time for each name. */
  async #renameIfAbsent(temp: string, path: string): Promise<"stored" | "exists"> {
    const before = this.#renaming.get(path);
    const turn = (async () => {
      await before?.catch(() => undefined);
      const taken = await stat(path).then(
        () => true,
        (error: unknown) => {
          if (errnoOf(error) === "ENOENT") return false;
          throw error;
        },
      );
      if (taken) return "exists" as const;
      await rename(temp, path);
      return "stored" as const;
    })();
    this.#renaming.set(path, turn);
    try {
      return await turn;
    } finally {
      if (this.#renaming.get(path) === turn) this.#renaming.delete(path);
    }
  }

  /** Makes a folder below objects/ and sees to it once that its own name, and every name above it, is durable. */
  #durableFolder(path: string): Promise<void> {
    if (path === this.#objects) return Promise.resolve();
    let made = this.#folders.get(path);
    if (!made) {
      made = (async () => {
        await this.#durableFolder(dirname(path));
        await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
          if (errnoOf(error) !== "EEXIST") throw error;
        });
        await syncFolder(dirname(path));
      })();
      this.#folders.set(path, made);
      made.catch(() => this.#folders.delete(path));
    }
    return made;
  }
}
