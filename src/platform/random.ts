import { randomBytes, randomUUID } from "node:crypto";

/** The one source of randomness, so that a simulation can replay a run from a seed. */
export interface Random {
  bytes(length: number): Uint8Array;
  /** A version 4 UUID in lower case. */
  uuid(): string;
}

export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};
