import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FolderLockedError, lockFolder } from "#platform/folder-lock.ts";
import type { FolderLock } from "#platform/folder-lock.ts";
import { CommandError } from "./errors.ts";

/** The data folder's layout, as the service makes it. */
export interface DataFolder {
  path: string;
  masterKey: string;
  catalog: string;
  index: string;
  store: string;
  volumes: string;
}

export function dataFolder(path: string): DataFolder {
  const data = resolve(path);
  return {
    path: data,
    masterKey: join(data, "master.key"),
    catalog: join(data, "catalog.sqlite"),
    index: join(data, "index.sqlite"),
    store: join(data, "store"),
    volumes: join(data, "volumes"),
  };
}

/** Takes a data folder for this process; the message says what to do when the service has it. */
export function lockData(path: string): FolderLock {
  try {
    return lockFolder(path);
  } catch (error) {
    if (!(error instanceof FolderLockedError)) throw error;
    throw new CommandError(`${path} is in use by another OpenCBR process: stop it first`, { cause: error });
  }
}

/** The folder of a local store, found to be one. */
export function storeFolder(path: string): string {
  const store = resolve(path);
  if (!existsSync(join(store, "objects", "opencbr-repository.json"))) {
    const inside = join(store, "store");
    if (existsSync(join(inside, "objects", "opencbr-repository.json")))
      throw new CommandError(`${store} is a data folder; the store is ${inside}`, { exitCode: 2 });
    throw new CommandError(`${store} is not a store: it has no objects/opencbr-repository.json`);
  }
  return realpathSync(store);
}

/** The data folder that a store lies in; undefined when it lies by itself. */
export function dataFolderAround(store: string): DataFolder | undefined {
  const around = dataFolder(dirname(store));
  return basename(store) === "store" && [around.masterKey, around.catalog, join(around.path, "lock.sqlite")].some((path) => existsSync(path))
    ? around
    : undefined;
}

/** Locks the data folder around a store, if there is one that can be written; what is read-only can be in nobody's use. */
export function lockAround(store: string): FolderLock {
  const around = dataFolderAround(store);
  if (around === undefined) return { release() {} };
  try {
    return lockData(around.path);
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) !== 0 && [8, 14].includes((error as { errcode: number }).errcode & 0xff))
      return { release() {} };
    throw error;
  }
}

export function makePrivateFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false) throw new CommandError(`${path} is a file`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
}
