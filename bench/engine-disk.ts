import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { openFileSource } from "../src/sources/file.ts";

/** A raw disk and the same disk a day later, as files. */
export interface Disks {
  first: string;
  second: string;
  sizeBytes: number;
  dataBytes: number;
  changedBytes: number;
  places: number;
  content: string;
}

const MIB = 1024 * 1024;
const BLOCK = 4096;

/** Folders with real files, in the order in which they are used up. */
const trees = ["/usr", join(homedir(), ".rustup"), "/opt"];

/** Reproducible numbers from 0 to 1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Makes both disks in `folder`, or takes those that an earlier run made there with the same size. */
export function makeDisks(folder: string, sizeBytes: number): Disks {
  mkdirSync(folder, { recursive: true });
  const name = `disk-${sizeBytes / MIB}m`;
  const first = join(folder, `${name}-1.raw`);
  const second = join(folder, `${name}-2.raw`);
  const content = hasFileSystemTools() ? "ext4 with real files" : "generated";
  if (!existsSync(first)) {
    const making = `${first}.making`;
    if (hasFileSystemTools()) fileSystem(making, sizeBytes, folder);
    else generated(making, sizeBytes);
    renameSync(making, first);
  }
  const dataBytes = allocatedBytes(first);
  const places = Math.max(16, Math.round((sizeBytes / (4096 * MIB)) * 1000));
  const blocks = Math.max(1, Math.round((dataBytes * 0.02) / places / BLOCK));
  if (!existsSync(second)) {
    const making = `${second}.making`;
    execFileSync("cp", ["--sparse=always", first, making]);
    writeScattered(making, places, blocks);
    renameSync(making, second);
  }
  return { first, second, sizeBytes, dataBytes, changedBytes: places * blocks * BLOCK, places, content };
}

function hasFileSystemTools(): boolean {
  return ["/usr/sbin/mke2fs", "/sbin/mke2fs"].some((path) => existsSync(path));
}

function fileSystem(path: string, sizeBytes: number, folder: string): void {
  const tree = join(folder, "tree");
  rmSync(tree, { recursive: true, force: true });
  copyFiles(tree, sizeBytes * 0.45);
  execFileSync(
    "mke2fs",
    [
      "-q",
      "-t",
      "ext4",
      "-E",
      "lazy_itable_init=1,hash_seed=8f6c5c0e-0000-4000-8000-000000000001",
      "-U",
      "8f6c5c0e-0000-4000-8000-000000000000",
      "-d",
      tree,
      path,
      `${sizeBytes / 1024}k`,
    ],
    {
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
      stdio: "inherit",
    },
  );
  rmSync(tree, { recursive: true });
}

/** Copies files of {@link trees}, in order of their names, until there are `wanted` bytes. */
function copyFiles(to: string, wanted: number): void {
  let left = wanted;
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      if (left <= 0) return;
      const path = join(folder, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory()) walk(path);
      else if (stats?.isFile() && stats.size <= left) {
        const target = join(to, relative("/", path));
        mkdirSync(dirname(target), { recursive: true });
        copyFileSync(path, target, constants.COPYFILE_FICLONE);
        left -= Math.ceil(stats.size / BLOCK) * BLOCK;
      }
    }
  };
  for (const root of trees) if (existsSync(root)) walk(root);
}

/** Runs of text-like, random and repeated bytes with holes between them. */
function generated(path: string, sizeBytes: number): void {
  const random = generator(1);
  const fd = openSync(path, "w");
  ftruncateSync(fd, sizeBytes);
  const piece = Buffer.alloc(MIB);
  for (let offset = 0; offset < sizeBytes; offset += MIB) {
    if (random() > 0.43) continue;
    const kind = random();
    const alphabet = kind < 0.3 ? 256 : kind < 0.8 ? 24 : 4;
    for (let at = 0; at < MIB; at++) piece[at] = random() * alphabet;
    writeSync(fd, piece, 0, MIB, offset);
  }
  closeSync(fd);
}

function allocatedBytes(path: string): number {
  const source = openFileSource(path);
  let total = 0;
  for (const { length } of source.allocatedExtents()) total += length;
  source.close();
  return total;
}

/** Overwrites `places` runs of blocks among the data with bytes found elsewhere on the disk, shifted so that they are no whole block again. */
function writeScattered(path: string, places: number, blocks: number): void {
  const source = openFileSource(path);
  const extents = [...source.allocatedExtents()].filter(({ length }) => length > (blocks + 1) * BLOCK);
  source.close();
  const total = extents.reduce((sum, { length }) => sum + length, 0);
  const random = generator(2);
  const somewhere = (): number => {
    let at = random() * total;
    for (const { offset, length } of extents) {
      if (at < length) return offset + Math.floor(Math.min(at, length - (blocks + 1) * BLOCK) / BLOCK) * BLOCK;
      at -= length;
    }
    return extents[0]!.offset;
  };
  const fd = openSync(path, "r+");
  const bytes = Buffer.alloc(blocks * BLOCK);
  for (let place = 0; place < places; place++) {
    readSync(fd, bytes, 0, bytes.length, somewhere() + 777);
    writeSync(fd, bytes, 0, bytes.length, somewhere());
  }
  closeSync(fd);
}

/** Reads a file through once, so that the page cache holds it. */
export function warm(path: string): void {
  const fd = openSync(path, "r");
  const buffer = Buffer.alloc(4 * MIB);
  const { size } = statSync(path);
  for (let offset = 0; offset < size; offset += buffer.length) readSync(fd, buffer, 0, buffer.length, offset);
  closeSync(fd);
}
