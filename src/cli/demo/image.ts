import { execFile } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openFileSource, openFileTarget } from "#sources/file.ts";
import { CommandError } from "../support/errors.ts";
import { findProgram, openImage, reasonOf } from "../support/image.ts";

const run = promisify(execFile);
const mib = 1024 ** 2;
const diskBytes = 256 * mib;
const filesBytes = 160 * mib;
/** Where real files are on almost any Linux system; read in this order until there are enough. */
const fileRoots = ["/usr/share", "/usr/bin", "/usr/lib", dirname(dirname(process.execPath))];

/** A raw disk of the demo's own, free to be changed. */
export interface DemoDisk {
  path: string;
  sizeBytes: number;
  /** Where it came from, for the report. */
  origin: string;
}

/** A private sparse copy of the given image in `folder`, so that the original stays as it is. */
export async function copyImage(imagePath: string, folder: string): Promise<DemoDisk> {
  const image = await openImage(imagePath);
  try {
    if (image.sizeBytes === 0) throw new CommandError(`${imagePath} is empty`);
    const path = join(folder, "disk.raw");
    const source = openFileSource(image.path);
    const target = openFileTarget(path, image.sizeBytes);
    try {
      const buffer = new Uint8Array(4 * mib);
      for (const { offset, length } of source.allocatedExtents()) {
        for (let at = offset; at < offset + length; at += buffer.length) {
          const piece = buffer.subarray(0, Math.min(buffer.length, offset + length - at));
          source.read(at, piece);
          target.write(at, piece);
        }
      }
    } finally {
      target.close();
      source.close();
    }
    return { path, sizeBytes: image.sizeBytes, origin: `${imagePath} (${image.format})` };
  } finally {
    image.dispose();
  }
}

/** A 256 MiB disk with files of this system: ext4 where mke2fs is there, else the files' bytes one after the other with gaps between. */
export async function buildDisk(folder: string): Promise<DemoDisk> {
  const path = join(folder, "disk.raw");
  const files = pickFiles();
  if (files.length === 0) throw new CommandError("found no readable files to fill a disk with; give one with --image");
  closeSync(openSync(path, "w"));
  truncateSync(path, diskBytes);
  const mke2fs = findProgram("mke2fs");
  if (mke2fs === undefined) {
    writePlain(path, files);
    return { path, sizeBytes: diskBytes, origin: `${files.length} files of this system, without a file system (no mke2fs)` };
  }
  const tree = join(folder, "files");
  for (const file of files) {
    const copy = join(tree, file.path);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file.path, copy);
  }
  try {
    await run(mke2fs, ["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", tree, path]);
  } catch (error) {
    throw new CommandError(`mke2fs failed: ${reasonOf(error)}`, { cause: error });
  } finally {
    rmSync(tree, { recursive: true });
  }
  return { path, sizeBytes: diskBytes, origin: `ext4 with ${files.length} files of this system` };
}

interface PickedFile {
  path: string;
  sizeBytes: number;
}

/** Readable regular files up to 32 MiB each and 160 MiB together, in the order of their paths. */
function pickFiles(): PickedFile[] {
  const picked: PickedFile[] = [];
  let totalBytes = 0;
  const visit = (folder: string, budget: number): void => {
    for (const name of namesIn(folder)) {
      if (totalBytes >= budget || picked.length >= 8000) return;
      const path = join(folder, name);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit(path, budget);
      else if (stat?.isFile() && stat.size > 0 && stat.size <= 32 * mib && totalBytes + stat.size <= budget && isReadable(path)) {
        picked.push({ path, sizeBytes: stat.size });
        totalBytes += stat.size;
      }
    }
  };
  fileRoots.forEach((root, n) => visit(root, (filesBytes * (n + 1)) / fileRoots.length));
  return picked;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    if (["EACCES", "ENOENT", "EPERM", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

function isReadable(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch {
    return false;
  }
}

function writePlain(path: string, files: readonly PickedFile[]): void {
  const disk = openSync(path, "r+");
  try {
    let at = mib;
    for (const file of files) {
      const bytes = readFileSync(file.path);
      if (at + bytes.length > statSync(path).size) break;
      writeSync(disk, bytes, 0, bytes.length, at);
      at += Math.ceil(bytes.length / 4096) * 4096 + 4096 * (bytes.length % 7);
    }
  } finally {
    closeSync(disk);
  }
}
