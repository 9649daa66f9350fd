import assert from "node:assert/strict";
import { Ajv, type AnySchema, type ValidateFunction } from "ajv";

interface Operation {
  operationId: string;
  responses: Record<string, { content?: { "application/json": { schema: AnySchema } } }>;
}
/** What is looked at of a description of the API. */
export interface Description {
  paths: Record<string, Record<string, Operation>>;
}

/** The schema with every object closed: an answer has no key that is not described. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return "properties" in inner && !("additionalProperties" in inner) ? { ...inner, additionalProperties: false } : inner;
}

export type CheckAnswer = (method: string, url: string, status: number, body: unknown) => void;

/**
 * Fails the test when an answer is not as `/openapi.json` describes it: whole, with the types it says, and without a key that it does not name.
 * Operations that describe no answer are passed over. `seen` counts the answers that were held against a schema, by operation.
 */
export function answerChecker(document: Description, seen = new Map<string, number>()): CheckAnswer {
  const ajv = new Ajv({ allErrors: false, strict: false });
  const compiled = new Map<AnySchema, ValidateFunction>();
  const routes = Object.entries(document.paths).map(([path, operations]) => ({ segments: path.split("/"), operations }));
  const fits = (segments: readonly string[], asked: readonly string[]): boolean =>
    segments.length === asked.length && segments.every((segment, i) => segment.startsWith("{") || segment === asked[i]);
  const isMoreExact = (a: readonly string[], b: readonly string[]): number => {
    const at = a.findIndex((segment, i) => segment.startsWith("{") !== b[i]!.startsWith("{"));
    return at === -1 ? 0 : a[at]!.startsWith("{") ? 1 : -1;
  };

  return (method, url, status, body) => {
    const asked = new URL(url, "http://localhost").pathname.replace(/\/+$/, "").split("/");
    const verb = method.toLowerCase();
    const [route] = routes
      .filter(({ segments, operations }) => operations[verb] !== undefined && fits(segments, asked))
      .toSorted((a, b) => isMoreExact(a.segments, b.segments));
    const operation = route?.operations[verb];
    const schema = (operation?.responses[status] ?? (status >= 400 ? operation?.responses["default"] : undefined))?.content?.["application/json"]
      .schema;
    if (operation === undefined || schema === undefined) return;
    let validate = compiled.get(schema);
    if (validate === undefined) compiled.set(schema, (validate = ajv.compile(closed(schema) as AnySchema)));
    const isAsDescribed = validate(body);
    const [first] = validate.errors ?? [];
    const more = JSON.stringify(first?.params);
    assert.ok(isAsDescribed, `${operation.operationId} ${status}: ${first?.instancePath} ${first?.message} ${more}\n${JSON.stringify(body)}`);
    seen.set(operation.operationId, (seen.get(operation.operationId) ?? 0) + 1);
  };
}
