/**
 * Between the model's nouns and the database's rows: field `storeZone` is column `store_zone`; booleans are 0 or 1; objects and lists are
 * JSON text; times stay integers in microseconds. Nothing else converts.
 */

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${Snake<Tail>}`
    : `_${Lowercase<Head>}${Snake<Tail>}`
  : S;
type Column<V> = V extends boolean ? number : V extends string | number | null | Uint8Array ? V : string;
/** The row of a noun. */
export type RowOf<T> = { [K in keyof T & string as Snake<K>]: Column<T[K]> };

type Plain = string | number | Uint8Array;
type KindOf<V> = [NonNullable<V>] extends [boolean] ? "flag" : [NonNullable<V>] extends [Plain] ? "plain" : "json";
/** How each field is kept: the types leave no choice, so that none can be forgotten. */
export type Spec<T> = { readonly [K in keyof T & string]-?: KindOf<T[K]> };

export interface Codec<T> {
  /** Column names, in the order of the fields. */
  readonly columns: readonly (keyof RowOf<T> & string)[];
  readonly toRow: (noun: T) => RowOf<T>;
  /** Only the fields that are given; undefined counts as not given. */
  readonly toPatch: (patch: Partial<T>) => Partial<RowOf<T>>;
  readonly fromRow: (row: object) => T;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Makes the codec of a noun. */
export function createCodec<T extends object>(spec: Spec<T>): Codec<T> {
  const fields = Object.entries<string>(spec).map(([field, kind]) => ({ field, column: snake(field), kind }));
  const toPatch = (patch: Partial<T>): Partial<RowOf<T>> => {
    const row: Record<string, unknown> = {};
    for (const { field, column, kind } of fields) {
      const value = (patch as Record<string, unknown>)[field];
      if (value === undefined) continue;
      row[column] = value === null ? null : kind === "flag" ? Number(value) : kind === "json" ? JSON.stringify(value) : value;
    }
    return row as Partial<RowOf<T>>;
  };
  return {
    columns: fields.map(({ column }) => column as keyof RowOf<T> & string),
    toRow: (noun) => toPatch(noun) as unknown as RowOf<T>,
    toPatch,
    fromRow(row) {
      const noun: Record<string, unknown> = {};
      for (const { field, column, kind } of fields) {
        const value = (row as Record<string, unknown>)[column];
        noun[field] = value === null || kind === "plain" ? value : kind === "flag" ? value === 1 : parseJson(value as string);
      }
      return noun as T;
    },
  };
}

/** Reads a JSON column; the empty ones, which most are, cost nothing. */
export function parseJson(text: string): unknown {
  if (text === "{}") return {};
  if (text === "[]") return [];
  return JSON.parse(text);
}
