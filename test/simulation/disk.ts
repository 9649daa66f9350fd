import { chunkIdOf, deriveTenantKeys } from "#repository/keys.ts";

export const tenant = "0de0de0de0de0de0de0de0de0de0de00";
export const keys = deriveTenantKeys(new Uint8Array(32).fill(7));
export const chunkBytes = 64 << 10;
export const pageCount = 3;
export const diskBytes = pageCount * 1024 * chunkBytes;

/** A disk: what is at which chunk. Contents are numbers; nothing is at most places. */
export type Disk = Map<number, number>;

const contents = new Map<number, { plain: Uint8Array; id: Uint8Array }>();

/** A chunk's bytes, and its id. */
export function contentOf(number: number): { plain: Uint8Array; id: Uint8Array } {
  let content = contents.get(number);
  if (content === undefined) {
    const plain = new Uint8Array(Buffer.alloc(chunkBytes, `content ${number} `));
    contents.set(number, (content = { plain, id: chunkIdOf(keys, plain) }));
  }
  return content;
}
