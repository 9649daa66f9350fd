import type { PlacedRecord } from "./damage.ts";
import { RepositoryError } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { hexOf } from "./layout.ts";
import { openRecord } from "./record.ts";
import { scanPack, verifyPackCiphertext } from "./trailer.ts";
import type { PackContents } from "./trailer.ts";

/** What a pack of which every byte was read turned out to be. */
export interface PackVerdict {
  /** From the trailer, or from the records when that is damaged; undefined when neither can be followed. */
  contents: PackContents | undefined;
  /** What is wrong with the pack as a whole, its header or its trailer, though its records may be sound. */
  problem: string | undefined;
  sound: PlacedRecord[];
  damaged: (PlacedRecord & { reason: string })[];
}

/**
 * Verifies a whole pack: header, trailer, the hash of each ciphertext, and each record down to the keyed hash of its content.
 * `placed`: where the index says that records are, for what the pack itself does not tell.
 */
export function verifyPack(keys: TenantKeys, packId: Uint8Array, pack: Uint8Array, placed: readonly PlacedRecord[]): PackVerdict {
  const { contents, problem, hashes } = contentsOf(packId, pack);
  const places = new Map<string, PlacedRecord>();
  for (const place of [...placed, ...(contents?.entries ?? [])]) places.set(hexOf(place.id), place);
  const verdict: PackVerdict = { contents, problem, sound: [], damaged: [] };
  for (const { id, slot, offset, length, plainLength } of places.values()) {
    const place = { id, slot, offset, length, plainLength };
    const reason = hashes.get(slot) ?? reasonAgainst(keys, packId, pack, place);
    if (reason === undefined) verdict.sound.push(place);
    else verdict.damaged.push({ ...place, reason });
  }
  return verdict;
}

function contentsOf(
  packId: Uint8Array,
  pack: Uint8Array,
): { contents: PackContents | undefined; problem: string | undefined; hashes: Map<number, string> } {
  const hashes = new Map<number, string>();
  try {
    const verified = verifyPackCiphertext(pack);
    if (Buffer.compare(verified.packId, packId) !== 0) return { contents: undefined, problem: `it is pack ${hexOf(verified.packId)}`, hashes };
    for (const { slot, reason } of verified.damaged) hashes.set(slot, `record ${slot} of pack ${hexOf(packId)}: ${reason}`);
    return { contents: verified, problem: undefined, hashes };
  } catch (error) {
    const problem = messageOf(error);
    try {
      const scanned = scanPack(pack);
      return { contents: Buffer.compare(scanned.packId, packId) === 0 ? scanned : undefined, problem, hashes };
    } catch (second) {
      messageOf(second);
      return { contents: undefined, problem, hashes };
    }
  }
}

function reasonAgainst(keys: TenantKeys, packId: Uint8Array, pack: Uint8Array, place: PlacedRecord): string | undefined {
  const end = place.offset + place.length;
  if (end > pack.length) return `pack ${hexOf(packId)} ends at byte ${pack.length}, before record ${place.slot} does`;
  try {
    openRecord(keys, packId, pack.subarray(place.offset, end), place);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The message of what is expected to go wrong; anything else is thrown on. */
export function messageOf(error: unknown): string {
  if (error instanceof RepositoryError) return error.message;
  throw error;
}
