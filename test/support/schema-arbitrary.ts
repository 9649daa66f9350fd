import fc from "fast-check";

/** A JSON schema as the API's description has it. */
export interface Schema {
  type?: string;
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  maxItems?: number;
}

/** Texts that have broken other services. */
export const nastyTexts: readonly string[] = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "\u202e",
  "é",
  "名前",
  "😀".repeat(70),
  "x".repeat(65),
  "x".repeat(256),
  "x".repeat(5000),
  "../../etc/passwd",
  "..%2f..%2fetc%2fpasswd",
  "/etc/passwd",
  "%",
  "%zz",
  "%00",
  "'; DROP TABLE backups; --",
  '" OR 1=1',
  "<script>",
  "${jndi:x}",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "NaN",
  "-1",
  "0",
  "1e9",
  "9".repeat(40),
  "true",
  "[]",
  "{}",
  "00000000-0000-0000-0000-000000000000",
  "0DE0DE0DE0DE0DE0DE0DE0DE0DE0DE00",
  "2030-01-01T00:00:00Z",
  "2030-13-45T99:99:99Z",
  "created_at:desc",
  "a:b:c",
];

export const nastyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...nastyTexts) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 80 }) },
);
const nastyNumber = fc.constantFrom(-1, 0, -0, 1.5, 2 ** 31, 2 ** 53, 1e308, -1e308, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER);
/** Any JSON value, mostly of a kind that nobody expects. */
export const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  nastyText,
  nastyNumber,
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], { a: { b: { c: [] } } }),
  fc.constant(JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":1}}') as unknown),
  fc.jsonValue({ maxDepth: 2 }),
);

export interface Pool {
  /** Ids that exist, by the word that stands before `_id`; the empty word has them all. */
  ids: Readonly<Record<string, readonly string[]>>;
}

/** An id for a field or path parameter of that name: mostly one that exists. */
export function idFor(name: string, { ids }: Pool): fc.Arbitrary<string> {
  const own = ids[name.replace(/_?ids?$/, "")] ?? [];
  const all = ids[""] ?? [];
  return fc.oneof(
    ...(own.length > 0 ? [{ weight: 6, arbitrary: fc.constantFrom(...own) }] : []),
    ...(all.length > 0 ? [{ weight: 2, arbitrary: fc.constantFrom(...all) }] : []),
    { weight: 1, arbitrary: fc.uuid() },
    { weight: 2, arbitrary: nastyText },
  );
}

/** Texts of a pattern, where there is something that makes them: not for those that look ahead. */
function ofPattern(pattern: string | undefined): fc.Arbitrary<string>[] {
  if (pattern === undefined || pattern.includes("(?")) return [];
  return [fc.stringMatching(new RegExp(pattern), { size: "small" })];
}

function textFor(schema: Schema, name: string, pool: Pool): fc.Arbitrary<unknown> {
  if (/ids?$|volid$/.test(name)) return idFor(name.replace(/volid$/, "volume_id").replace(/^(target|source)_volume/, "volume"), pool);
  if (name === "type") return fc.constantFrom("OS::Cinder::Volume", "OS::Nova::Server", "OS::Tape");
  if (name === "object_type") return fc.constantFrom("disk", "server", "turbo", "tape");
  const { minLength = 0, maxLength = 20, pattern } = schema;
  const atTheEdge = [minLength - 1, minLength, maxLength, maxLength + 1].filter((length) => length >= 0 && length <= 5000).map((n) => "e".repeat(n));
  return fc.oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[a-z0-9]{1,8}$/) },
    { weight: 2, arbitrary: fc.constantFrom(...atTheEdge) },
    ...ofPattern(pattern).map((arbitrary) => ({ weight: 6, arbitrary })),
    { weight: 1, arbitrary: fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 80)) }) },
    { weight: 1, arbitrary: fc.constantFrom("/etc/passwd", "az1") },
  );
}

/** The smallest and largest number that the schema takes, and the next beyond. */
function atTheEdge({ minimum = 0, maximum = 100 }: Schema): number[] {
  return [minimum - 1, minimum, maximum, maximum + 1];
}

function rightFor(schema: Schema, name: string, pool: Pool): fc.Arbitrary<unknown> {
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => rightFor(one, name, pool)));
  switch (schema.type) {
    case "object": {
      const fields = Object.entries(schema.properties ?? {});
      if (fields.length === 0) return fc.dictionary(nastyText, nastyText, { maxKeys: 4 });
      const needed = new Set(schema.required ?? []);
      // Something that is needed is left out rarely, or almost every body would fail for that alone.
      const parts = fields.map(([key, one]) => {
        const given = likeSchema(one, key, pool).map((value) => [[key, value]]);
        return fc.oneof({ weight: needed.has(key) ? 20 : 1, arbitrary: given }, { weight: needed.has(key) ? 1 : 2, arbitrary: fc.constant([]) });
      });
      return fc.tuple(...parts).map((given) => Object.fromEntries(given.flat() as [string, unknown][]));
    }
    case "array":
      return fc.oneof(
        { weight: 12, arbitrary: fc.array(likeSchema(schema.items ?? {}, name, pool), { maxLength: 3 }) },
        // One more than there may be, all alike.
        {
          weight: 1,
          arbitrary: likeSchema(schema.items ?? {}, name, pool).map((one) => Array.from({ length: (schema.maxItems ?? 20) + 1 }, () => one)),
        },
      );
    case "integer":
    case "number":
      return fc.oneof(
        {
          weight: 4,
          arbitrary: fc.integer({ min: schema.minimum ?? -5, max: Math.max(schema.minimum ?? -5, Math.min(schema.maximum ?? 100, 100)) }),
        },
        { weight: 2, arbitrary: fc.constantFrom(...atTheEdge(schema)) },
        { weight: 1, arbitrary: nastyNumber },
      );
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return textFor(schema, name, pool);
    default:
      return nastyValue;
  }
}

/** A value that is nearly as the schema says: each part of it is now and then something else. */
export function likeSchema(schema: Schema, name: string, pool: Pool): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: rightFor(schema, name, pool) }, { weight: 1, arbitrary: nastyValue });
}
