import fc from "fast-check";
import { idFor, likeSchema, nastyText, nastyValue, type Pool, type Schema } from "./schema-arbitrary.ts";

/** An operation as the API's description has it. */
export interface FuzzedOperation {
  method: string;
  path: string;
  parameters: { name: string; in: string }[];
  body: Schema | undefined;
}

/** What Node lets into a header. */
export const headerText = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
/** Headers that something here reads, right and wrong. */
const headersArbitrary = fc
  .record(
    {
      "content-type": fc.oneof(
        { weight: 20, arbitrary: fc.constantFrom("application/json", "application/octet-stream", "text/plain", "application/json; charset=utf-16") },
        { weight: 1, arbitrary: fc.constantFrom("", ";;;", "json") },
        { weight: 1, arbitrary: headerText },
      ),
      "openstack-api-version": fc.oneof(
        fc.constantFrom("volume 3.0", "volume 3.64", "volume 3.999", "volume latest", "volume", "compute 2.1", "volume 3.-1"),
        headerText,
      ),
      range: fc.oneof(fc.constantFrom("bytes=0-", "bytes=0-99", "bytes=-5", "bytes=99999999999999-", "bytes=5-1"), headerText),
      "content-range": fc.oneof(
        fc.constantFrom("bytes 0-99/*", "bytes 5-1/*", "bytes 99999999999-99999999999/*", "bytes 0-0/1073741824"),
        headerText,
      ),
      "x-subject-token": headerText,
      accept: headerText,
      host: fc.constantFrom("cbr.example", "x y", "", "[::1]:80", "a".repeat(300)),
    },
    { requiredKeys: [] },
  )
  .map((headers) => headers as Record<string, string>);

/** A text as a part of a path or query: as it is, where it can be. */
export const encode = (text: string): string => (/^[\x21-\x7e]+$/.test(text) && !/[#?]/.test(text) ? text : encodeURIComponent(text.toWellFormed()));

/** A request near to what an operation takes. */
export function requestFor(operation: FuzzedOperation, pool: Pool, projectId: string) {
  const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
  const inQuery = operation.parameters.filter((parameter) => parameter.in === "query").map((parameter) => parameter.name);
  const params = fc.tuple(
    ...inPath.map(({ name }) =>
      name === "project_id" ? fc.oneof({ weight: 15, arbitrary: fc.constant(projectId) }, { weight: 1, arbitrary: nastyText }) : idFor(name, pool),
    ),
  );
  const pair = fc.tuple(
    inQuery.length === 0 ? nastyText : fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...inQuery) }, { weight: 1, arbitrary: nastyText }),
    fc.oneof(nastyText, idFor("", pool), fc.constantFrom("available", "error", "true", "created_at:asc", "id", "5")),
  );
  const body: fc.Arbitrary<Uint8Array | undefined> =
    operation.body === undefined
      ? fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined, freq: 4 })
      : fc.oneof(
          { weight: 12, arbitrary: likeSchema(operation.body, "body", pool).map((value) => Buffer.from(JSON.stringify(value) ?? "")) },
          { weight: 1, arbitrary: nastyValue.map((value) => Buffer.from(JSON.stringify(value))) },
          { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
          {
            weight: 1,
            arbitrary: fc.constantFrom('{"a":', "{", '"', "[".repeat(20_000), '{"vault":{"name":"x"}', "\ufeff{}").map((text) => Buffer.from(text)),
          },
          { weight: 1, arbitrary: fc.constant(undefined) },
        );
  return fc
    .record({ params, query: fc.array(pair, { maxLength: 3 }), headers: headersArbitrary, body })
    .map(({ params: values, query, headers, body: bytes }) => {
      let turn = 0;
      const path = operation.path.replaceAll(/\{\w+\}/g, () => encode(values[turn++] ?? ""));
      const search = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
      return { path: search === "" ? path : `${path}?${search}`, headers, body: bytes };
    });
}
