import { createHash } from "node:crypto";
import { chmodSync, closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEngine } from "#repository/engine.ts";
import { pattern } from "./make-vectors.ts";

const KIB = 1024;
const CHUNK = 64 * KIB;
/** Three pages of which the second is a hole, and a last chunk of 5,000 bytes. */
const sizeBytes = 2 * 1024 * CHUNK + 2 * CHUNK + 5000;

export const goldenFolder = join(import.meta.dirname, "repository-v1");
export const goldenTenant = "0de0de0de0de0de0de0de0de0de0de00";
export const goldenMasterKey = pattern(11, 32);

/** What `expected.json` says of a backup. */
export interface GoldenBackup {
  backupId: string;
  baseId: string | null;
  sizeBytes: number;
  /** Of the whole disk, hex. */
  sha256: string;
}

/** Bytes that do not compress and that anyone can make again: SHA-256 of `<name>/0`, `<name>/1`, … */
function noise(name: string, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) => createHash("sha256").update(`${name}/${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** What is written to the disk before each backup; what is not is zeros. */
const days: { backupId: string; writes: { offset: number; bytes: Uint8Array }[] }[] = [
  {
    backupId: "11111111-1111-4111-8111-111111111111",
    writes: [
      { offset: 0, bytes: pattern(1, CHUNK) },
      { offset: CHUNK, bytes: noise("incompressible", CHUNK) },
      { offset: 3 * CHUNK, bytes: noise("incompressible", CHUNK) },
      { offset: 5 * CHUNK + 100, bytes: pattern(2, 200) },
      { offset: sizeBytes - 5000, bytes: noise("last", 5000) },
    ],
  },
  {
    backupId: "22222222-2222-4222-8222-222222222222",
    writes: [
      { offset: 1000, bytes: pattern(3, 500) },
      { offset: 3 * CHUNK, bytes: new Uint8Array(CHUNK) },
      { offset: 1023 * CHUNK, bytes: noise("new", CHUNK) },
    ],
  },
];

/** Brings a sparse file of the disk to each day in turn; tells what a backup of it must restore. */
export async function eachDay(path: string, visit: (backup: GoldenBackup) => Promise<void> = async () => undefined): Promise<GoldenBackup[]> {
  const backups: GoldenBackup[] = [];
  const content = Buffer.alloc(sizeBytes);
  const fd = openSync(path, "w");
  try {
    ftruncateSync(fd, sizeBytes);
    for (const { backupId, writes } of days) {
      for (const { offset, bytes } of writes) {
        content.set(bytes, offset);
        writeSync(fd, bytes, 0, bytes.length, offset);
      }
      const sha256 = createHash("sha256").update(content).digest("hex");
      const backup = { backupId, baseId: backups.at(-1)?.backupId ?? null, sizeBytes, sha256 };
      await visit(backup);
      backups.push(backup);
    }
  } finally {
    closeSync(fd);
  }
  return backups;
}

async function makeGoldenRepository(): Promise<void> {
  mkdirSync(goldenFolder);
  const folder = mkdtempSync(join(tmpdir(), "opencbr-golden-"));
  try {
    const engine = await startEngine({
      storePath: join(goldenFolder, "store"),
      indexPath: join(folder, "index.db"),
      masterKey: goldenMasterKey,
      laneCount: 1,
    });
    try {
      const disk = join(folder, "disk");
      const backups = await eachDay(disk, async ({ backupId, baseId }) => {
        await engine.backup(
          {
            tenant: goldenTenant,
            backupId,
            source: { kind: "file", path: disk },
            ...(baseId !== null && { baseId }),
            document: { name: "gölden", backupId },
            chunkBytes: CHUNK,
            compressionLevel: 1,
          },
          {},
        );
      });
      await engine.writeState(goldenTenant, 1_790_000_000_000_000, { format: 1, note: "a state" });
      const text = { tenant: goldenTenant, chunkBytes: CHUNK, backups };
      writeFileSync(join(goldenFolder, "expected.json"), `${JSON.stringify(text, undefined, 2)}\n`);
    } finally {
      await engine.close();
    }
    const keyFile = join(goldenFolder, "master-key.txt");
    writeFileSync(keyFile, `opencbr-master-key-v1\n${Buffer.from(goldenMasterKey).toString("hex")}\n`);
    chmodSync(keyFile, 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/* The repository that is in Git was written when format v1 was settled: this refuses while it is there. Ids of packs, nonces and salts are random. */
if (import.meta.main) await makeGoldenRepository();
