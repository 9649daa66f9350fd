import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CommandError } from "./errors.ts";

const run = promisify(execFile);

/** A disk image as raw bytes in a sparse file; `dispose` removes what had to be made for that. */
export interface RawImage {
  path: string;
  /** As qemu-img names it. */
  format: string;
  sizeBytes: number;
  dispose(): void;
}

/** Whether a program is on the path, or in the folders where system tools are. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Opens an image of any format that qemu-img knows, converted to a temporary raw file where it is not raw already. */
export async function openImage(path: string): Promise<RawImage> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new CommandError(`${path} does not exist`);
  if (stat.isDirectory()) throw new CommandError(`${path} is a folder, not a disk image`);
  const qemuImg = findProgram("qemu-img");
  const format = qemuImg === undefined || !stat.isFile() ? "raw" : await formatOf(qemuImg, path);
  if (format === "raw" || qemuImg === undefined) return { path, format: "raw", sizeBytes: stat.size, dispose() {} };
  const folder = mkdtempSync(join(tmpdir(), "opencbr-image-"));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  const raw = join(folder, "image.raw");
  try {
    await run(qemuImg, ["convert", "-f", format, "-O", "raw", path, raw]);
  } catch (error) {
    dispose();
    throw new CommandError(`qemu-img cannot convert ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return { path: raw, format, sizeBytes: statSync(raw).size, dispose };
}

async function formatOf(qemuImg: string, path: string): Promise<string> {
  try {
    const { stdout } = await run(qemuImg, ["info", "--output=json", path]);
    return (JSON.parse(stdout) as { format: string }).format;
  } catch (error) {
    throw new CommandError(`qemu-img cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The last line that a program left on its standard error. */
export function reasonOf(error: unknown): string {
  const text = (error as { stderr?: string }).stderr?.trim() ?? "";
  return text === "" ? (error as Error).message : text.slice(text.lastIndexOf("\n") + 1);
}
