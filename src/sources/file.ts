import koffi from "koffi";
import { closeSync, constants, fstatSync, fsync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { BigIntStats } from "node:fs";
import { isPageAligned } from "#platform/native.ts";
import { SourceError } from "./source.ts";
import type { Extent, Source, SourceErrorCode } from "./source.ts";

const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const DIRECT_ALIGNMENT = 4096;

let seekCall: ((fd: number, offset: number, whence: number) => number | bigint) | undefined;

/** lseek(2); -1 and `koffi.errno()` on failure. */
function seek(fd: number, offset: number, whence: number): number {
  seekCall ??= koffi.load(null).func("int64_t lseek(int, int64_t, int)");
  return Number(seekCall(fd, offset, whence));
}

/**
 * A raw disk image or block device. Holes come from the file system (`SEEK_DATA`/`SEEK_HOLE`); where it cannot tell, all is one extent.
 * Usable in worker threads; each opens its own.
 * @throws SourceError `notFound`, `unreadable`, `notAFile`
 */
export function openFileSource(path: string): Source {
  let fd: number;
  try {
    // Without waiting: a pipe in the place of the file would keep this thread until somebody writes into it.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw sourceError(error, `cannot open ${path}`, "unreadable");
  }
  try {
    const sizeBytes = sizeOf(fd, fstatSync(fd, { bigint: true }), path);
    return new FileSource(path, fd, sizeBytes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class FileSource implements Source {
  readonly sizeBytes: number;
  readonly #path: string;
  readonly #fd: number;
  #open = true;

  constructor(path: string, fd: number, sizeBytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.sizeBytes = sizeBytes;
  }

  *allocatedExtents(within: Extent = { offset: 0, length: this.sizeBytes }): Generator<Extent> {
    let at = within.offset;
    const stop = Math.min(this.sizeBytes, at + within.length);
    while (at < stop) {
      const data = seek(this.#fd, at, SEEK_DATA);
      if (data < 0) {
        if (koffi.errno() === koffi.os.errno.ENXIO) return;
        yield { offset: at, length: stop - at };
        return;
      }
      if (data >= stop) return;
      const hole = seek(this.#fd, data, SEEK_HOLE);
      const end = hole <= data ? stop : Math.min(hole, stop);
      yield { offset: data, length: end - data };
      at = end;
    }
  }

  read(offset: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      let count: number;
      try {
        count = readSync(this.#fd, into, done, into.length - done, offset + done);
      } catch (error) {
        throw sourceError(error, `cannot read ${this.#path} at byte ${offset + done}`, "unreadable");
      }
      if (count === 0) {
        const wanted = offset + into.length;
        throw new SourceError(
          "shrunk",
          `${this.#path} ended at byte ${offset + done} while bytes up to ${wanted} were being read: it has become shorter`,
        );
      }
      done += count;
    }
  }

  changeToken(): string {
    const stats = fstatSync(this.#fd, { bigint: true });
    return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(":");
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

/** Where a restore writes. What is never written reads as zeros. */
export interface FileTarget {
  /** @throws SourceError `writeFailed`, `noSpace` */
  write(offset: number, bytes: Uint8Array): void;
  /** Makes everything written so far durable, through whichever handle; does not block the thread. */
  finish(): Promise<void>;
  close(): void;
}

/**
 * Makes `path` a file of `sizeBytes` that is one hole, whatever it held before; a block device is left as long as it is.
 * @throws SourceError `notFound` (no such folder), `notAFile`, `writeFailed`, `noSpace`
 */
export function openFileTarget(path: string, sizeBytes: number): FileTarget {
  const target = open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    const stats = fstatSync(target.fd, { bigint: true });
    const size = sizeOf(target.fd, stats, path);
    if (stats.isFile()) {
      ftruncateSync(target.fd, 0);
      ftruncateSync(target.fd, sizeBytes);
    } else if (size < sizeBytes) {
      throw new SourceError("noSpace", `${path} has ${size} bytes, ${sizeBytes} are needed`);
    }
    return target;
  } catch (error) {
    target.close();
    throw sourceError(error, `cannot make ${path} ${sizeBytes} bytes long`, "writeFailed");
  }
}

/** A further handle on a target that {@link openFileTarget} made, for another thread. */
export function joinFileTarget(path: string): FileTarget {
  return open(path, constants.O_RDWR);
}

function open(path: string, flags: number): OpenFileTarget {
  try {
    return new OpenFileTarget(path, openSync(path, flags, 0o600));
  } catch (error) {
    throw sourceError(error, `cannot open ${path} for writing`, "writeFailed");
  }
}

/** Writes past the page cache where memory, offset and length are aligned and the file system allows it; that is twice as fast. */
class OpenFileTarget implements FileTarget {
  readonly fd: number;
  readonly #path: string;
  #directFd: number | undefined;
  #directTried = false;
  #open = true;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.fd = fd;
  }

  write(offset: number, bytes: Uint8Array): void {
    const direct = this.#directFor(offset, bytes);
    try {
      if (direct !== undefined && this.#writeAll(direct, offset, bytes)) return;
      this.#writeAll(this.fd, offset, bytes);
    } catch (error) {
      throw sourceError(error, `cannot write ${this.#path} at byte ${offset}`, "writeFailed");
    }
  }

  finish(): Promise<void> {
    return new Promise((resolve, reject) => {
      fsync(this.fd, (error) => (error ? reject(sourceError(error, `cannot make ${this.#path} durable`, "writeFailed")) : resolve()));
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
    if (this.#directFd !== undefined) closeSync(this.#directFd);
  }

  #directFor(offset: number, bytes: Uint8Array): number | undefined {
    if (offset % DIRECT_ALIGNMENT !== 0 || bytes.length % DIRECT_ALIGNMENT !== 0 || !isPageAligned(bytes)) return undefined;
    if (!this.#directTried) {
      this.#directTried = true;
      try {
        this.#directFd = openSync(this.#path, constants.O_WRONLY | constants.O_DIRECT);
      } catch {
        // This file system has no direct writes; ordinary ones do the same.
      }
    }
    return this.#directFd;
  }

  /** False when direct writing turns out to be impossible here; it is not tried again. */
  #writeAll(fd: number, offset: number, bytes: Uint8Array): boolean {
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
      } catch (error) {
        if (fd === this.fd || (error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
        closeSync(fd);
        this.#directFd = undefined;
        return false;
      }
    }
    return true;
  }
}

function sizeOf(fd: number, stats: BigIntStats, path: string): number {
  if (stats.isFile()) return Number(stats.size);
  if (stats.isBlockDevice()) return seek(fd, 0, SEEK_END);
  throw new SourceError("notAFile", `${path} is neither a regular file nor a block device`);
}

function sourceError(error: unknown, what: string, otherwise: SourceErrorCode): SourceError {
  if (error instanceof SourceError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, SourceErrorCode> = {
    ENOENT: "notFound",
    ENOTDIR: "notFound",
    EISDIR: "notAFile",
    ENOSPC: "noSpace",
    EDQUOT: "noSpace",
    EFBIG: "noSpace",
  };
  return new SourceError(known[code ?? ""] ?? otherwise, `${what}: ${message}`, error);
}
