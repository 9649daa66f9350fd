import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { dataExtentsOf } from "./change.ts";

const hashedAtOnce = 1024 * 1024;
const zeros = new Uint8Array(hashedAtOnce);

/** SHA-256 of a whole file; its holes are hashed as the zeros that they are, without being read. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  let at = 0;
  const zerosUntil = (end: number): void => {
    for (; at < end; at = Math.min(end, at + hashedAtOnce)) hash.update(zeros.subarray(0, Math.min(hashedAtOnce, end - at)));
  };
  for (const { offset, length } of dataExtentsOf(path)) {
    zerosUntil(offset);
    for await (const piece of createReadStream(path, { start: offset, end: offset + length - 1, highWaterMark: hashedAtOnce }))
      hash.update(piece as Buffer);
    at = offset + length;
  }
  zerosUntil(statSync(path).size);
  return hash.digest("hex");
}
