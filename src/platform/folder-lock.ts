import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Another process holds the folder. */
export class FolderLockedError extends Error {
  override readonly name = "FolderLockedError";
}

export interface FolderLock {
  release(): void;
}

/**
 * Takes a folder for this process alone until it is released or the process ends, however it ends: the lock is the kernel's, on the
 * small SQLite file `lock.sqlite` in the folder, so nothing stale is ever left behind. Throws {@link FolderLockedError} when it is taken;
 * other failures (no permission, no space) are node:sqlite's own errors.
 */
export function lockFolder(folder: string): FolderLock {
  const database = new DatabaseSync(join(folder, "lock.sqlite"), { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    database.exec("CREATE TABLE IF NOT EXISTS holder (pid INTEGER); DELETE FROM holder");
    database.prepare("INSERT INTO holder VALUES (?)").run(process.pid);
    // Committed, yet still held: in exclusive locking mode the lock stays until the file is closed.
    database.exec("COMMIT");
  } catch (error) {
    database.close();
    const code = (error as { errcode?: number }).errcode ?? 0;
    if ((code & 0xff) === sqliteBusy) throw new FolderLockedError(`${folder} is in use by another process`, { cause: error });
    throw error;
  }
  return { release: () => database.close() };
}

const sqliteBusy = 5;
