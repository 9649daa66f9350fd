import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createBars } from "./bars.ts";

/** What goes to standard error while `work` runs, on a terminal or not. */
function written(isTerminal: boolean, work: () => void): string {
  let text = "";
  const before = process.stderr.isTTY;
  const write = mock.method(process.stderr, "write", (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  });
  process.stderr.isTTY = isTerminal;
  try {
    work();
  } finally {
    write.mock.restore();
    process.stderr.isTTY = before;
  }
  return text;
}

function work(isWanted: boolean): void {
  const bars = createBars(isWanted);
  const bar = bars.add("a disk");
  bar.update(50 * 1024, 200 * 1024, 25 * 1024, "reading");
  bars.note("a remark");
  const other = bars.add("another");
  other.update(10, null);
  other.finish(false);
  bars.stop();
}

test("a bar tells share, bytes, rate and time left; what failed says so", () => {
  const text = written(true, () => work(true));
  for (const words of ["a disk", "25%", "6s left", "25.0 KiB/s", "50.0 KiB/200 KiB", "a remark", "10 B/?", "failed"])
    assert.ok(text.includes(words), `${words} in ${JSON.stringify(text)}`);
});

test("without a terminal there are only remarks, and nothing where none is wanted", () => {
  assert.equal(
    written(false, () => work(true)),
    "a remark\n",
  );
  assert.equal(
    written(true, () => work(false)),
    "",
  );
});
