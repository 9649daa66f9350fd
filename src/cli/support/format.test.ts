import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatSeconds, formatTable } from "./format.ts";

test("bytes and seconds for people", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 10 * 1024 ** 2, 300 * 1024 ** 3].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.00 KiB",
    "1.50 KiB",
    "10.0 MiB",
    "300 GiB",
  ]);
  assert.deepEqual([0, 59.4, 187, 7500, Number.POSITIVE_INFINITY, Number.NaN].map(formatSeconds), ["0s", "59s", "3m 07s", "2h 05m", "-", "-"]);
});

test("a table aligns its columns, numbers to the right, and shows what is absent", () => {
  const text = formatTable(
    ["name", "GiB"],
    [
      ["a", 5],
      ["long name", 1000],
      [null, 0],
    ],
  );
  assert.equal(text, ["name        GiB", "a             5", "long name  1000", "-             0"].join("\n"));
});
