import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RepositoryError } from "./engine-types.ts";
import { formatRecoveryKey, parseRecoveryKey } from "./recovery-key.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("a recovery key is the same key again, however it is typed", () => {
  fc.assert(
    fc.property(key, (bytes) => {
      const text = formatRecoveryKey(bytes);
      assert.match(text, /^opencbr-recovery-key-v1\n([1-5] {2}([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\n){5}$/);
      for (const typed of [text, text.toLowerCase(), text.replaceAll("-", " ").replace("opencbr recovery key v1", "opencbr-recovery-key-v1")])
        assert.deepEqual(Uint8Array.from(parseRecoveryKey(typed)), bytes);
    }),
  );
});

test("a known key has a known text", () => {
  const text = formatRecoveryKey(Uint8Array.from({ length: 32 }, (_, at) => at));
  assert.equal(
    text,
    [
      "opencbr-recovery-key-v1",
      "1  000G-40R4-0M30-ET4B",
      "2  104G-M2RC-1M70-YZ1D",
      "3  208H-44RM-2MB1-FV68",
      "4  30CH-M6RW-3MF1-Y311",
      "5  2402-WC88-KKBJ-SNAK",
      "",
    ].join("\n"),
  );
});

test("one wrong digit, two exchanged ones, or two exchanged rows are told, with the row", () => {
  const wrong = (text: string, says: RegExp): void =>
    assert.throws(
      () => parseRecoveryKey(text),
      (error) => error instanceof RepositoryError && error.code === "wrongMasterKey" && says.test(error.message),
    );
  fc.assert(
    fc.property(
      key,
      fc.integer({ min: 1, max: 5 }),
      fc.nat({ max: 18 }),
      fc.constantFrom(...Array.from("0123456789ABCDEFGHJKMNPQRSTVWXYZ")),
      (bytes, row, at, digit) => {
        const lines = formatRecoveryKey(bytes).split("\n");
        const line = lines[row]!;
        if (line[at + 3] === "-" || line[at + 3] === digit) return;
        lines[row] = line.slice(0, at + 3) + digit + line.slice(at + 4);
        wrong(lines.join("\n"), row === 5 ? /last row/ : new RegExp(`in row ${row}`));
      },
    ),
  );
  const lines = formatRecoveryKey(new Uint8Array(32).map((_, at) => at * 7)).split("\n");
  const [one, two] = [lines[1]!.slice(1), lines[2]!.slice(1)];
  wrong([lines[0], `1${two}`, `2${one}`, ...lines.slice(3)].join("\n"), /in row 1/);
  wrong(lines.slice(0, 4).join("\n"), /has 3 rows/);
});

test("fuzz: any text is a key of 32 bytes or refused by name", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((rest) => `opencbr-recovery-key-v1\n${rest}`),
      ),
      (text) => {
        try {
          assert.equal(parseRecoveryKey(text).length, 32);
        } catch (error) {
          assert.ok(error instanceof RepositoryError && error.code === "wrongMasterKey", String(error));
        }
      },
    ),
  );
});
