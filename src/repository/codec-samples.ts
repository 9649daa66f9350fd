import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RepositoryError } from "./engine-types.ts";
import type { RepositoryErrorCode } from "./engine-types.ts";
import { chunkIdOf, deriveTenantKeys } from "./keys.ts";
import { PackWriter } from "./pack.ts";
import type { FinishedPack, PackWriterOptions } from "./pack.ts";

/** For the codecs' tests: what they take, made the same each time. */
export const tenant = "0de0de0de0de0de0de0de0de0de0de00";
export const sampleKeys = deriveTenantKeys(new Uint8Array(32).fill(7));
export const packIdOf = (number: number): Uint8Array => createHash("sha256").update(String(number)).digest().subarray(0, 16);

/** Bytes that do not compress, the same for the same seed. */
export function noise(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(length / 64) * 64);
  for (let at = 0; at < length; at += 64) bytes.set(createHash("sha512").update(`${seed}/${at}`).digest(), at);
  return bytes.subarray(0, length);
}

export function packOf(number: number, plains: readonly Uint8Array[], options: Partial<PackWriterOptions> = {}): FinishedPack {
  const keys = options.keys ?? sampleKeys;
  const writer = new PackWriter({ tenant, packId: packIdOf(number), keys, kind: "data", targetBytes: 1 << 16, ...options });
  for (const plain of plains) writer.add(chunkIdOf(keys, plain), plain);
  return writer.finish();
}

export const refusedAs =
  (...codes: RepositoryErrorCode[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof RepositoryError, (error instanceof Error && error.stack) || String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    return true;
  };

/** Runs a parser on bytes that may be anything: it may return or throw one of these errors, and nothing else. */
export function triesTo<T>(parse: () => T, ...codes: RepositoryErrorCode[]): T | undefined {
  try {
    return parse();
  } catch (error) {
    refusedAs(...codes)(error);
    return undefined;
  }
}
