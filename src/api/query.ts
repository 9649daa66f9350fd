import type { Page, Sort } from "#catalog/tables.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid, type TimestampUs } from "#model/ids.ts";
import { parseUtc } from "#model/timestamps.ts";

/** A decoded query string: a name given more than once has an array. */
export type Query = Readonly<Record<string, unknown>>;

function fail(field: string, message: string): never {
  throw new DomainError("invalidRequest", `${field}: ${message}`, { field });
}

/** Every value of a name, as texts; empty when absent. */
export function all(query: Query, name: string): string[] {
  const value = query[name];
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** The value of a name, the first if it is given more than once; undefined when absent or empty. */
export function one(query: Query, name: string): string | undefined {
  const value = all(query, name)[0];
  return value === "" ? undefined : value;
}

/** The value of a name that must be given; names the field when it is not. */
export const need = (query: Query, name: string): string => one(query, name) ?? fail(name, "is required");

/** A whole number within bounds; names the field when it is not. */
export function integer(query: Query, name: string, bounds: { min: number; max: number; default: number }): number {
  const text = one(query, name);
  if (text === undefined) return bounds.default;
  if (!/^-?\d{1,15}$/.test(text)) fail(name, "must be a whole number");
  const value = Number(text);
  if (value < bounds.min || value > bounds.max)
    fail(name, bounds.max === Number.MAX_SAFE_INTEGER ? `must be ${bounds.min} or more` : `must be from ${bounds.min} to ${bounds.max}`);
  return value;
}

const truths = new Set(["true", "1", "on", "yes", "t", "y"]);
const lies = new Set(["false", "0", "off", "no", "f", "n"]);

/** A boolean from what clients send for one: JSON's own, or its many words; undefined for anything else. */
export function readBoolean(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (value === 1) return true;
  if (value === 0) return false;
  if (typeof value !== "string") return undefined;
  const word = value.trim().toLowerCase();
  return truths.has(word) ? true : lies.has(word) ? false : undefined;
}

/** A boolean parameter; undefined when absent, an error when it is no boolean. */
export function flag(query: Query, name: string): boolean | undefined {
  const text = one(query, name);
  if (text === undefined) return undefined;
  return readBoolean(text) ?? fail(name, "must be true or false");
}

/** An instant, `YYYY-MM-DDTHH:MM:SS[.ffffff][Z]`; undefined when absent. */
export function instant(query: Query, name: string): TimestampUs | undefined {
  const text = one(query, name);
  if (text === undefined) return undefined;
  return parseUtc(text) ?? fail(name, "must be a time such as 2030-01-31T00:00:00Z");
}

/** One of the given words; undefined when absent. */
export function oneOf<Word extends string>(query: Query, name: string, words: readonly Word[]): Word | undefined {
  const text = one(query, name);
  if (text === undefined) return undefined;
  return words.find((word) => word === text) ?? fail(name, `must be one of ${words.join(", ")}`);
}

/** `limit`, `offset` and `marker`. A marker that is no id is kept out of the look-up: it matches nothing, as an unknown one. */
export function page(query: Query, limits: { max: number; minOffset?: number }): Page {
  const limit = integer(query, "limit", { min: 1, max: Number.MAX_SAFE_INTEGER, default: limits.max });
  const offset = integer(query, "offset", { min: 0, max: 2_147_483_647, default: 0 });
  const marker = one(query, "marker");
  return { limit: Math.min(limit, limits.max), offset, ...(marker === undefined ? {} : { marker: isUuid(marker) ? marker : nilUuid }) };
}

const nilUuid = "00000000-0000-0000-0000-000000000000";

/** `key:direction,key2`; the direction may be left out. Keys are mapped to ours; an unknown one is an error. */
export function sorts<Key extends string>(
  text: string | undefined,
  field: string,
  keys: Readonly<Record<string, Key>>,
  defaultDirection: "asc" | "desc",
): Sort<Key>[] {
  if (text === undefined) return [];
  return text.split(",").map((part) => {
    const [name = "", direction = defaultDirection, ...rest] = part.trim().split(":");
    const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (key === undefined || rest.length > 0)
      return fail(field, `unknown key ${JSON.stringify(name.slice(0, 64))}; known are ${Object.keys(keys).join(", ")}`);
    if (direction !== "asc" && direction !== "desc") return fail(field, "direction must be asc or desc");
    return { key, direction };
  });
}
