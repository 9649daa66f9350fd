import { StorageError } from "./store.ts";

const segment = /^[A-Za-z0-9._-]+$/;

/** The key itself when it obeys the contract; otherwise a {@link StorageError} `badKey`. */
export function checkKey(key: string): string {
  const fault =
    key.length > 512
      ? "is longer than 512 characters"
      : key.split("/").some((part) => !segment.test(part) || part === "." || part === "..")
        ? "has a segment that is not allowed"
        : "";
  if (fault) throw new StorageError("badKey", key, `key ${JSON.stringify(key.slice(0, 80))} ${fault}`);
  return key;
}

/** Checks a range against the object's size; `badRange` when it leaves the object. */
export function checkRange(key: string, size: number, range: { offset: number; length: number }): void {
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || offset + length > size)
    throw new StorageError("badRange", key, `range ${offset}+${length} leaves object ${key} of ${size} bytes`);
}
