import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DomainError } from "#model/errors.ts";
import { baseOf } from "./block-storage.ts";
import { nextLink } from "./links.ts";
import { readMicroversion } from "./microversion.ts";

const code = (wanted: string) => (error: unknown) => error instanceof DomainError && error.code === wanted;

describe("OpenStack-API-Version", () => {
  test("none means 3.0, latest the newest, and only the pair for volume counts", () => {
    assert.deepEqual(readMicroversion(undefined), { minor: 0, explicit: false });
    assert.deepEqual(readMicroversion("volume 3.45"), { minor: 45, explicit: true });
    assert.deepEqual(readMicroversion("compute 2.90, volume 3.59"), { minor: 59, explicit: true });
    assert.deepEqual(readMicroversion("volume latest"), { minor: 70, explicit: true });
    assert.deepEqual(readMicroversion("compute 2.90"), { minor: 0, explicit: false });
  });

  test("out of range is 406, what is no version is a bad request", () => {
    for (const header of ["volume 3.71", "volume 2.0", "volume 4.0"]) assert.throws(() => readMicroversion(header), code("notAcceptable"), header);
    for (const header of ["volume", "volume 3", "volume x.y", "volume 3.1 extra", "volume 3.-1"])
      assert.throws(() => readMicroversion(header), code("invalidRequest"), header);
  });

  test("whatever is sent, a version in range or a refusal", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `volume ${text}`),
        ),
        (header) => {
          try {
            const { minor } = readMicroversion(header);
            assert.ok(Number.isInteger(minor) && minor >= 0 && minor <= 70);
          } catch (error) {
            assert.ok(error instanceof DomainError);
          }
        },
      ),
    );
  });
});

describe("links", () => {
  const project = "00000000000000000000000000000001";
  test("the base is what stands before the project, whatever the mount", () => {
    assert.deepEqual(baseOf("http://h:1", `/volume/v3/${project}/backups?limit=1`, project), {
      versioned: "http://h:1/volume/v3",
      bare: "http://h:1/volume",
    });
    assert.deepEqual(baseOf("http://h:1", `/v2/${project}/backups`, project), { versioned: "http://h:1/v2", bare: "http://h:1" });
  });

  test("the next page keeps the query, without the offset and with the last item as marker", () => {
    const link = nextLink(
      { versioned: "http://h/volume/v3", bare: "http://h/volume" },
      project,
      "backups/detail",
      { limit: "2", offset: "4", marker: "old", "name~": "a b", status: ["x", "y"] },
      "last",
    );
    assert.equal(link.href, `http://h/volume/v3/${project}/backups/detail?limit=2&name%7E=a+b&status=x&status=y&marker=last`);
    assert.equal(link.rel, "next");
  });
});
