import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DomainError } from "#model/errors.ts";
import { all, flag, instant, integer, one, oneOf, page, readBoolean, sorts } from "./query.ts";

const keys = { created_at: "created_at", name: "name" } as const;
const refused = (field: string) => (error: unknown) =>
  error instanceof DomainError && error.code === "invalidRequest" && error.field === field && error.message.includes(field);

describe("query parameters", () => {
  test("a name once, repeated, empty, absent", () => {
    const query = { a: "1", b: ["1", "2"], c: "" };
    assert.equal(one(query, "a"), "1");
    assert.equal(one(query, "b"), "1");
    assert.equal(one(query, "c"), undefined);
    assert.equal(one(query, "d"), undefined);
    assert.deepEqual(all(query, "b"), ["1", "2"]);
    assert.deepEqual(all(query, "d"), []);
  });

  test("bounds are kept and the field is named", () => {
    const bounds = { min: 1, max: 1000, default: 7 };
    assert.equal(integer({}, "limit", bounds), 7);
    assert.equal(integer({ limit: "1000" }, "limit", bounds), 1000);
    for (const limit of ["0", "-1", "1001", "x", "1.5", "1e3", " 1", "99999999999999999999"])
      assert.throws(() => integer({ limit }, "limit", bounds), refused("limit"), limit);
    assert.throws(() => page({ offset: "-1" }, { max: 10 }), refused("offset"));
    assert.throws(() => page({ limit: "-5" }, { max: 10 }), { message: "limit: must be 1 or more" });
  });

  test("a page is never longer than the most that is allowed, and a marker that is no id matches nothing", () => {
    assert.deepEqual(page({ limit: "5000", offset: "3" }, { max: 1000 }), { limit: 1000, offset: 3 });
    assert.equal(page({ marker: "'; drop table" }, { max: 1 }).marker, "00000000-0000-0000-0000-000000000000");
    assert.equal(page({ marker: "55555555-5555-4555-8555-555555555555" }, { max: 1 }).marker, "55555555-5555-4555-8555-555555555555");
  });

  test("booleans in the words that clients use", () => {
    for (const word of ["true", "True", "1", "on", "yes", 1, true]) assert.equal(readBoolean(word), true);
    for (const word of ["false", "False", "0", "off", "no", 0, false]) assert.equal(readBoolean(word), false);
    for (const word of ["maybe", "", 2, null, {}]) assert.equal(readBoolean(word), undefined);
    assert.throws(() => flag({ incremental: "maybe" }, "incremental"), refused("incremental"));
    assert.equal(flag({}, "incremental"), undefined);
  });

  test("instants and words", () => {
    assert.equal(instant({ start_time: "1970-01-01T00:00:01Z" }, "start_time"), 1_000_000);
    assert.throws(() => instant({ start_time: "yesterday" }, "start_time"), refused("start_time"));
    assert.equal(oneOf({ t: "b" }, "t", ["a", "b"]), "b");
    assert.throws(() => oneOf({ t: "c" }, "t", ["a", "b"]), refused("t"));
  });

  test("sort keys with and without direction", () => {
    assert.deepEqual(sorts("created_at:asc,name", "sort", keys, "desc"), [
      { key: "created_at", direction: "asc" },
      { key: "name", direction: "desc" },
    ]);
    assert.deepEqual(sorts(undefined, "sort", keys, "desc"), []);
    for (const text of ["size", "name:up", "name:asc:x", "", "toString", "__proto__"])
      assert.throws(() => sorts(text, "sort", keys, "desc"), refused("sort"), text);
  });

  test("whatever is sent, an answer or a refusal that names the field", () => {
    const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined));
    fc.assert(
      fc.property(fc.record({ limit: value, offset: value, marker: value, sort: value, when: value, yes: value }), (query) => {
        const readers: [string, () => unknown][] = [
          ["limit|offset", () => page(query, { max: 1000 })],
          ["sort", () => sorts(one(query, "sort"), "sort", keys, "desc")],
          ["when", () => instant(query, "when")],
          ["yes", () => flag(query, "yes")],
        ];
        for (const [fields, read] of readers) {
          try {
            read();
          } catch (error) {
            assert.ok(error instanceof DomainError && error.field !== undefined && fields.split("|").includes(error.field), String(error));
          }
        }
      }),
    );
  });
});
