import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { ReadWriteLock } from "#platform/read-write-lock.ts";
import { changedSince, changedSinceLast, condense } from "./change-history.ts";
import type { ChangeHistory } from "./change-history.ts";
import { decodeLog, encodeEntries, encodeLog, entryBytes, headerBytes } from "./change-log.ts";
import type { ChangeEntry, ChangeLog, FileStamp } from "./change-log.ts";
import type { Granules } from "./granules.ts";
import type { Extent } from "./source.ts";

const granuleBytes = 65_536;
/** The file's own time is set back by this after each write, so that any other program's write shows, however coarse the clock of the file system. */
const setBackMs = 1000;

export interface ChangeRecordLimits {
  /** A log that has more entries is condensed, to half as many. */
  maxEntries: number;
  /** Freezes that a condensed log still knows. */
  keepFreezes: number;
}
const defaultLimits: ChangeRecordLimits = { maxEntries: 400_000, keepFreezes: 16 };

/** A log that was found to be whole and to belong to the file as it is. */
interface Believed {
  granuleBytes: number;
  /** Where the next entry goes, and its crc begins: over the last one, when that says what the file looks like. */
  endBytes: number;
  crc: number;
  stamp: FileStamp;
  /** Written since the last freeze, as the log says. */
  written: Granules;
}

/** What a backup needs to know of a disk that it has just frozen. */
export interface Freeze<T> {
  /** Stands for this moment; undefined when the record cannot be kept. */
  token: string | undefined;
  /** What may have been written since the freeze that was asked about; undefined when that cannot be told: then anything may have. */
  changed: Extent[] | undefined;
  /** What `take` gave. */
  taken: T;
}

/**
 * Keeps a durable record of what is written to a disk file through it, so that a backup can ask what has changed since an earlier one. It may say
 * too much, never too little: a range is in the log, durably, before its first byte is written, and a log is believed only if every bit of it is as
 * it was written, nobody was writing when it ended, and the file looks exactly as it looked then (inode, size, times). Else it knows nothing, and
 * starts anew at the next freeze.
 *
 * One object for a file in one process, which is the only one that writes it: what another program writes is noticed by the times.
 */
export class ChangeRecord {
  readonly #diskPath: string;
  readonly #logPath: string;
  readonly #limits: ChangeRecordLimits;
  readonly #lock = new ReadWriteLock();
  #steps: Promise<unknown> = Promise.resolve();
  #writers = 0;
  #known: Believed | undefined;

  constructor(diskPath: string, logPath: string, limits: ChangeRecordLimits = defaultLimits) {
    this.#diskPath = diskPath;
    this.#logPath = logPath;
    this.#limits = limits;
  }

  get isIdle(): boolean {
    return this.#lock.isIdle;
  }

  /** Runs `work`, which writes nothing of the disk outside `ranges`. Waits while a freeze is being made; several may write at once. */
  write<T>(ranges: readonly Extent[], work: (disk: FileHandle) => Promise<T>): Promise<T> {
    return this.#lock.shared(async () => {
      const disk = await open(this.#diskPath, "r+");
      try {
        await this.#inTurn(() => this.#announce(disk, ranges));
        try {
          return await work(disk);
        } finally {
          await this.#inTurn(() => this.#settle(disk));
        }
      } finally {
        await disk.close();
      }
    });
  }

  /**
   * Between two writes: marks this moment with `token`, lets `take` freeze the bytes where it can, and tells what may have been written since the
   * moment that was marked with `since`. What is written later is reported to whoever asks with `token`. Never fails because of the record.
   */
  freeze<T>({ token, since, take }: { token: string; since?: string; take: () => Promise<T> }): Promise<Freeze<T>> {
    return this.#lock.exclusive(async () => {
      const marked = await this.#mark(token, since);
      return { ...marked, taken: await take() };
    });
  }

  /** Forgets what was written, then runs `work`, which may put another file in the disk's place or remove it. */
  replace<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.exclusive(async () => {
      await this.#drop();
      return work();
    });
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#steps.then(step);
    this.#steps = turn.catch(() => {});
    return turn;
  }

  async #announce(disk: FileHandle, ranges: readonly Extent[]): Promise<void> {
    try {
      if (this.#writers === 0) await this.#believe(disk);
      const known = this.#known;
      const fresh = known === undefined ? [] : ranges.filter((range) => range.length > 0 && !known.written.covers(range));
      if (known !== undefined && fresh.length > 0) {
        await this.#append(known, inGranules(fresh, known.granuleBytes), true);
        if (known.endBytes > headerBytes + this.#limits.maxEntries * entryBytes) await this.#condense();
      }
    } catch {
      // The write may go on without a record, but not with one that does not have it.
      await this.#drop();
    }
    this.#writers++;
  }

  async #settle(disk: FileHandle): Promise<void> {
    this.#writers--;
    if (this.#writers > 0 || this.#known === undefined) return;
    try {
      const stamp = await setBack(disk);
      // In the place of the last one: a log ends in this, and has it nowhere else.
      await this.#append({ ...this.#known }, [{ kind: "settled", ...stamp }], false);
      this.#known.stamp = stamp;
    } catch {
      // The log ends without saying what the file looks like: nobody believes it.
      this.#known = undefined;
    }
  }

  async #mark(token: string, since: string | undefined): Promise<{ token: string | undefined; changed: Extent[] | undefined }> {
    let changed: Extent[] | undefined;
    try {
      const disk = await open(this.#diskPath, "r+");
      try {
        // Else a backup could have bytes that the disk loses with the power, and that the log calls older than the backup.
        await disk.sync();
        const log = await this.#believe(disk, "anew");
        if (log !== undefined && since !== undefined) changed = changedSince(log, since);
        if (log === undefined || this.#known === undefined) await this.#write({ granuleBytes, entries: [] }, token, await setBack(disk));
        else if (log.entries.length > this.#limits.maxEntries / 2) await this.#write(condense(log, this.#half()), token, this.#known.stamp);
        else await this.#append(this.#known, markOf(token, this.#known.stamp), true);
        this.#known = undefined;
        return { token, changed };
      } finally {
        await disk.close();
      }
    } catch {
      await this.#drop().catch(() => {});
      return { token: undefined, changed };
    }
  }

  /** Reads the log unless what is known of it holds, and keeps it only if it is to be believed. Tells it when it was read. */
  async #believe(disk: FileHandle, anew?: "anew"): Promise<ChangeLog | undefined> {
    const known = anew === undefined ? this.#known : undefined;
    const stamp = await stampOf(disk);
    if (known !== undefined && isSame(known.stamp, stamp) && (await lengthOf(this.#logPath)) === known.endBytes + entryBytes) return undefined;
    this.#known = undefined;
    const bytes = await readLog(this.#logPath);
    if (bytes === undefined) return undefined;
    const log = decodeLog(bytes);
    const last = log?.entries.at(-1);
    if (log !== undefined && last?.kind === "settled" && isSame(last, stamp) && log.entries[0]!.kind === "frozen") {
      const endBytes = bytes.length - entryBytes;
      this.#known = { granuleBytes: log.granuleBytes, endBytes, crc: log.crcBeforeLast, stamp, written: changedSinceLast(log) };
      return log;
    }
    await this.#drop();
    return undefined;
  }

  async #append(known: Believed, entries: readonly ChangeEntry[], durable: boolean): Promise<void> {
    const { bytes, crc } = encodeEntries(entries, known.crc);
    const log = await open(this.#logPath, constants.O_WRONLY);
    try {
      for (let done = 0; done < bytes.length;) done += (await log.write(bytes, done, bytes.length - done, known.endBytes + done)).bytesWritten;
      if (durable) await log.datasync();
    } finally {
      await log.close();
    }
    known.endBytes += bytes.length;
    known.crc = crc;
    for (const entry of entries) if (entry.kind === "changed") known.written.add(entry);
  }

  /** While somebody writes: the log says no more what the file looks like, until it settles. */
  async #condense(): Promise<void> {
    const log = decodeLog((await readLog(this.#logPath)) ?? Buffer.alloc(0));
    if (log === undefined) throw new Error("the change log is not as it was written");
    await this.#write(condense(log, this.#half()));
  }

  /** Puts a log in the place of the present one; ends in a freeze where there is a token. */
  async #write(given: ChangeHistory, token?: string, stamp?: FileStamp): Promise<void> {
    const entries = token === undefined || stamp === undefined ? given.entries : [...given.entries, ...markOf(token, stamp)];
    const { bytes, crc } = encodeLog(given.granuleBytes, entries);
    const part = `${this.#logPath}.part`;
    const file = await open(part, "w", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, this.#logPath);
    await syncFolder(this.#logPath);
    if (this.#known !== undefined) {
      this.#known = { ...this.#known, granuleBytes: given.granuleBytes, endBytes: bytes.length, crc, written: changedSinceLast(given) };
    }
  }

  /** The log is gone, durably, when this resolves. */
  async #drop(): Promise<void> {
    this.#known = undefined;
    await rm(this.#logPath, { force: true });
    await syncFolder(this.#logPath);
  }

  #half(): ChangeRecordLimits {
    return { ...this.#limits, maxEntries: Math.floor(this.#limits.maxEntries / 2) };
  }
}

const markOf = (token: string, stamp: FileStamp): ChangeEntry[] => [
  { kind: "frozen", token },
  { kind: "settled", ...stamp },
];

function inGranules(ranges: readonly Extent[], granule: number): ChangeEntry[] {
  return ranges.map(({ offset, length }) => {
    const start = Math.floor(offset / granule) * granule;
    return { kind: "changed", offset: start, length: Math.ceil((offset + length) / granule) * granule - start };
  });
}

async function stampOf(disk: FileHandle): Promise<FileStamp> {
  const { ino, size, mtimeNs, ctimeNs } = await disk.stat({ bigint: true });
  return { ino, size, mtimeNs, ctimeNs };
}

const isSame = (a: FileStamp, b: FileStamp): boolean => a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;

async function setBack(disk: FileHandle): Promise<FileStamp> {
  const { atimeMs, mtimeMs } = await disk.stat();
  await disk.utimes(atimeMs / 1000, (mtimeMs - setBackMs) / 1000);
  return stampOf(disk);
}

async function readLog(path: string): Promise<Buffer | undefined> {
  try {
    const file = await open(path, "r");
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function lengthOf(path: string): Promise<number | undefined> {
  const file = await open(path, "r").catch(() => undefined);
  try {
    return file === undefined ? undefined : (await file.stat()).size;
  } finally {
    await file?.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
