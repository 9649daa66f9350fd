import { scrypt, timingSafeEqual } from "node:crypto";
import type { Random } from "#platform/random.ts";

/** Cost of scrypt (RFC 7914): 2^ln blocks, block size r, p times. Memory is 128·r·2^ln bytes. */
export interface ScryptCost {
  ln: number;
  r: number;
  p: number;
}

/** 32 MiB and some 50 ms per hash. */
export const defaultCost: ScryptCost = { ln: 15, r: 8, p: 1 };
const saltBytes = 16;
const hashBytes = 32;
const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{4,128})\$([A-Za-z0-9+/]{4,128})$/;

function derive(password: string, salt: Uint8Array, length: number, { ln, r, p }: ScryptCost): Promise<Buffer> {
  const N = 2 ** ln;
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFC"), salt, length, { N, r, p, maxmem: 256 * r * N + 1024 * 1024 }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replaceAll("=", "");

/** `$scrypt$ln=15,r=8,p=1$salt$hash`, base64 without padding: the form of passlib. */
export async function hashPassword(password: string, random: Random, cost: ScryptCost = defaultCost): Promise<string> {
  const salt = random.bytes(saltBytes);
  const hash = await derive(password, salt, hashBytes, cost);
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${text(salt)}$${text(hash)}`;
}

/** Whether the password has this hash; compared in constant time. A text that is no such hash never matches. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const match = form.exec(stored);
  if (match === null) return false;
  const [, ln, r, p, salt = "", hash = ""] = match;
  const cost: ScryptCost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (cost.ln < 1 || cost.ln > 20 || cost.r < 1 || cost.r > 32 || cost.p < 1 || cost.p > 16) return false;
  const expected = Buffer.from(hash, "base64");
  return timingSafeEqual(await derive(password, Buffer.from(salt, "base64"), expected.length, cost), expected);
}
