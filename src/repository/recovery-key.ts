import { Blake3Hasher } from "@napi-rs/blake-hash";
import { RepositoryError } from "./engine-types.ts";

/*
 * Recovery key: a master key as text that can be printed and typed in again.
 *
 *   opencbr-recovery-key-v1
 *   1  XXXX-XXXX-XXXX-XXXX      four rows, each of 8 bytes of the key and 2 of derive("… row", row number || the 8 bytes)
 *   …
 *   5  XXXX-XXXX-XXXX-XXXX      10 bytes of derive("… whole", the 32 bytes)
 *
 * 10 bytes are 16 digits of base 32 in Crockford's alphabet (no I, L, O, U). A reader takes lower case, O for 0, I and L for 1, and any spaces and
 * dashes.
 */
const header = "opencbr-recovery-key-v1";
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const contexts = { row: "opencbr recovery key v1: row", whole: "opencbr recovery key v1: whole" };

function encodeRow(bytes: Uint8Array): string {
  let bits = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (let digit = 0; digit < 16; digit++, bits >>= 5n) text = alphabet[Number(bits & 31n)] + text;
  return (text.match(/.{4}/g) ?? []).join("-");
}

function decodeRow(text: string): Buffer | undefined {
  const digits = text.toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if (!/^[0-9A-HJKMNP-TV-Z]{16}$/.test(digits)) return undefined;
  let bits = 0n;
  for (const digit of digits) bits = (bits << 5n) | BigInt(alphabet.indexOf(digit));
  return Buffer.from(bits.toString(16).padStart(20, "0"), "hex");
}

const rowCheck = (row: number, part: Uint8Array): Buffer =>
  Blake3Hasher.deriveKey(contexts.row, Buffer.concat([Uint8Array.of(row), part])).subarray(0, 2);
const wholeCheck = (masterKey: Uint8Array): Buffer => Blake3Hasher.deriveKey(contexts.whole, Buffer.from(masterKey)).subarray(0, 10);

/** The recovery key of a master key of 32 bytes; ends in a newline. */
export function formatRecoveryKey(masterKey: Uint8Array): string {
  if (masterKey.length !== 32) throw new RepositoryError("invalidRequest", `master key has ${masterKey.length} bytes, not 32`);
  const rows = [0, 1, 2, 3].map((at) => {
    const part = masterKey.subarray(at * 8, at * 8 + 8);
    return Buffer.concat([part, rowCheck(at + 1, part)]);
  });
  return [header, ...[...rows, wholeCheck(masterKey)].map((bytes, at) => `${at + 1}  ${encodeRow(bytes)}`), ""].join("\n");
}

/** The master key in the text of a recovery key. Errors: `wrongMasterKey`, and the message names the row that was mistyped. */
export function parseRecoveryKey(text: string): Uint8Array {
  const refuse = (what: string): RepositoryError => new RepositoryError("wrongMasterKey", `the recovery key ${what}`);
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (lines[0]?.toLowerCase() !== header) throw refuse(`does not begin with the line ${header}`);
  if (lines.length !== 6) throw refuse(`has ${lines.length - 1} rows, not 5`);
  const rows = lines.slice(1).map((line, at) => {
    const number = String(at + 1);
    const digits = line.replaceAll(/[\s-]/g, "");
    if (!digits.startsWith(number)) throw refuse(`has no row ${number} where it should be`);
    const bytes = decodeRow(digits.slice(1));
    if (bytes === undefined) throw refuse(`has a row ${number} that is not 16 letters and digits`);
    if (at < 4 && !rowCheck(at + 1, bytes.subarray(0, 8)).equals(bytes.subarray(8))) throw refuse(`is mistyped in row ${number}`);
    return bytes;
  });
  const masterKey = Buffer.concat(rows.slice(0, 4).map((bytes) => bytes.subarray(0, 8)));
  if (!wholeCheck(masterKey).equals(rows[4]!)) throw refuse("is mistyped: its last row does not fit the others");
  return masterKey;
}
