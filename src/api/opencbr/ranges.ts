import { DomainError } from "#model/errors.ts";

/** Longest piece of a disk that one request writes, bytes. */
export const maxWriteBytes = 16 * 1024 * 1024;
/** Longest piece of a disk that one request reads, bytes: a longer range is answered in part, as HTTP allows. */
export const maxReadBytes = 8 * 1024 * 1024;

export interface ByteRange {
  offset: number;
  length: number;
}

/**
 * Reads an HTTP `Range` header against a size. Absent, of another unit, of several ranges or malformed: undefined, which means the whole
 * (RFC 9110 §14.2).
 * A single range that begins at or after the end is `rangeNotSatisfiable`.
 */
export function readRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    if (length === 0) throw new DomainError("rangeNotSatisfiable", `Range: nothing of ${sizeBytes} bytes is asked for`, { field: "Range" });
    return { offset: sizeBytes - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? sizeBytes - 1 : Number(last);
  if (last !== "" && end < offset) return undefined;
  if (offset >= sizeBytes) throw new DomainError("rangeNotSatisfiable", `Range: begins at ${offset}, the size is ${sizeBytes}`, { field: "Range" });
  return { offset, length: Math.min(end, sizeBytes - 1) - offset + 1 };
}

/** Reads the `Content-Range` of a write, `bytes FIRST-LAST/SIZE` where SIZE may be `*`; its length must be the body's. */
export function readContentRange(header: string | undefined, bodyLength: number): ByteRange {
  const fail = (message: string): never => {
    throw new DomainError("invalidRequest", `Content-Range: ${message}`, { field: "Content-Range" });
  };
  if (header === undefined) return fail("is required, as `bytes FIRST-LAST/SIZE`");
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header.trim());
  if (match === null) return fail("must be `bytes FIRST-LAST/SIZE`, SIZE may be *");
  const offset = Number(match[1]);
  const length = Number(match[2]) - offset + 1;
  if (length < 1) return fail("ends before it begins");
  if (length > maxWriteBytes) return fail(`at most ${maxWriteBytes} bytes at a time`);
  if (match[3] !== "*" && offset + length > Number(match[3])) return fail("goes beyond its own size");
  if (length !== bodyLength) return fail(`says ${length} bytes, the body has ${bodyLength}`);
  return { offset, length };
}
