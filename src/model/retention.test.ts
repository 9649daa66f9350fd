import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { expire, expireFailed } from "./retention.ts";
import type { Retained } from "./retention.ts";
import { parseUtc } from "./timestamps.ts";

type Rule = Parameters<typeof expire>[1];
const none: Rule = { maxBackups: null, dayBackups: null, weekBackups: null, monthBackups: null, yearBackups: null, timezone: null };

/** Backups at these times, named by them; all of one resource. */
const at = (...times: string[]): Retained[] =>
  times.map((time) => ({ id: time, resourceId: "r", state: "complete", createdAt: parseUtc(`${time}:00`)! }));
const goes = (backups: Retained[], rule: Partial<Rule>): string[] => expire(backups, { ...none, ...rule }).toSorted();
/** One backup at noon on each of so many days from 2026-01-01. */
const everyDay = (days: number): Retained[] =>
  at(...Array.from({ length: days }, (_, day) => new Date(Date.UTC(2026, 0, 1 + day, 12)).toISOString().slice(0, 16)));

describe("retention by counts", () => {
  it("keeps everything without a number of backups", () => {
    for (const rule of [{}, { maxBackups: -1 }, { maxBackups: 0 }, { dayBackups: 1, timezone: "UTC+00:00" }, { maxBackups: -1, yearBackups: 3 }]) {
      assert.deepEqual(goes(everyDay(40), rule), []);
    }
  });

  it("keeps the newest so many, whatever their order", () => {
    const four = at("2026-01-03T00:00", "2026-01-01T00:00", "2026-01-04T00:00", "2026-01-02T00:00");
    assert.deepEqual(goes(four, { maxBackups: 3 }), ["2026-01-01T00:00"]);
    assert.deepEqual(goes(four, { maxBackups: 4 }), []);
    assert.deepEqual(goes(four, { maxBackups: 1, dayBackups: 0, weekBackups: -1 }), ["2026-01-01T00:00", "2026-01-02T00:00", "2026-01-03T00:00"]);
  });

  it("counts each resource by itself, and only what can be restored", () => {
    const backups: Retained[] = [
      ...at("2026-01-01T00:00", "2026-01-02T00:00"),
      ...at("2026-01-03T00:00").map((backup): Retained => ({ ...backup, state: "failed" })),
      ...at("2026-01-01T01:00").map((backup) => ({ ...backup, resourceId: "other" })),
    ];
    assert.deepEqual(goes(backups, { maxBackups: 1 }), ["2026-01-01T00:00"]);
  });

  it("keeps the newest of each of the last days that have one, besides", () => {
    const twice = at("2026-01-01T06:00", "2026-01-01T18:00", "2026-01-02T06:00", "2026-01-02T18:00", "2026-01-09T06:00", "2026-01-09T18:00");
    assert.deepEqual(goes(twice, { maxBackups: 1, dayBackups: 2 }), ["2026-01-01T06:00", "2026-01-01T18:00", "2026-01-02T06:00", "2026-01-09T06:00"]);
    assert.deepEqual(goes(twice, { maxBackups: 3, dayBackups: 3 }), ["2026-01-01T06:00", "2026-01-02T06:00"]);
  });

  it("begins a day where the zone says", () => {
    const night = at("2026-01-01T15:30", "2026-01-01T16:30");
    assert.deepEqual(goes(night, { maxBackups: 1, dayBackups: 9, timezone: "UTC+00:00" }), ["2026-01-01T15:30"]);
    assert.deepEqual(goes(night, { maxBackups: 1, dayBackups: 9, timezone: "UTC+08:00" }), [], "in China the second is of the next day");
    assert.deepEqual(goes(at("2026-06-30T21:30", "2026-06-30T22:30"), { maxBackups: 1, monthBackups: 9, timezone: "Europe/Berlin" }), []);
    assert.deepEqual(goes(at("2026-12-31T21:30", "2026-12-31T22:30"), { maxBackups: 1, monthBackups: 9, timezone: "Europe/Berlin" }), [
      "2026-12-31T21:30",
    ]);
  });

  it("begins a week on Monday, months and years with their first day", () => {
    const kept = (rule: Partial<Rule>, days: number): string[] => {
      const all = everyDay(days);
      const gone = new Set(goes(all, { maxBackups: 1, timezone: "UTC+00:00", ...rule }));
      return all.filter(({ id }) => !gone.has(id)).map(({ id }) => id.slice(0, 10));
    };
    // 2026-01-04 and 11 are Sundays.
    assert.deepEqual(kept({ weekBackups: 3 }, 14), ["2026-01-04", "2026-01-11", "2026-01-14"]);
    assert.deepEqual(kept({ monthBackups: 3 }, 70), ["2026-01-31", "2026-02-28", "2026-03-11"]);
    assert.deepEqual(kept({ yearBackups: 2, monthBackups: 2 }, 400), ["2026-12-31", "2027-01-31", "2027-02-04"]);
    assert.deepEqual(kept({ dayBackups: 2, weekBackups: 2, monthBackups: 2, yearBackups: 2 }, 400), [
      "2026-12-31",
      "2027-01-31",
      "2027-02-03",
      "2027-02-04",
    ]);
  });
});

describe("failed automatic backups", () => {
  const failed = (...times: string[]): Retained[] => at(...times).map((backup) => ({ ...backup, state: "failed" }));

  it("are kept ten at most, and for a month at most", () => {
    const now = parseUtc("2026-03-31T12:00:00")!;
    const eleven = failed(...Array.from({ length: 11 }, (_, hour) => `2026-03-31T${String(hour).padStart(2, "0")}:00`));
    assert.deepEqual(expireFailed(eleven, now), ["2026-03-31T00:00"]);
    assert.deepEqual(expireFailed(failed("2026-02-28T12:00", "2026-02-28T11:59"), now), ["2026-02-28T11:59"], "the end of February is a month ago");
    assert.deepEqual(expireFailed(at("2020-01-01T00:00"), now), [], "only failed ones");
  });
});

const minuteUs = 60_000_000;
const count = fc.option(fc.integer({ min: -1, max: 6 }));
const ruleOf = fc.record({
  maxBackups: count,
  dayBackups: count,
  weekBackups: count,
  monthBackups: count,
  yearBackups: count,
  timezone: fc.constantFrom(null, "UTC+08:00", "UTC-03:30", "Europe/Berlin"),
});
const someBackups = fc.array(
  fc.record({
    // Close together as well as years apart.
    createdAt: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 3_000_000 })).map((m) => 1_700_000_000_000_000 + m * minuteUs),
    resourceId: fc.constantFrom("a", "b"),
    state: fc.constantFrom("complete" as const, "complete" as const, "failed" as const),
  }),
  { maxLength: 60 },
);

describe("retention by counts, against a plain reading of the rule", () => {
  it("takes the same backups", () => {
    fc.assert(
      fc.property(someBackups, ruleOf, (drawn, rule) => {
        const backups = drawn.map((backup, index) => ({ ...backup, id: String(index).padStart(3, "0") }));
        assert.deepEqual(expire(backups, rule).toSorted(), oracle(backups, rule));
      }),
      { numRuns: 500 },
    );
  });

  it("takes nothing more when asked again, and never the newest", () => {
    fc.assert(
      fc.property(someBackups, ruleOf, (drawn, rule) => {
        const backups = drawn.map((backup, index) => ({ ...backup, id: String(index).padStart(3, "0") }));
        const gone = new Set(expire(backups, rule));
        const left = backups.filter(({ id }) => !gone.has(id));
        assert.deepEqual(expire(left, rule), []);
        for (const resourceId of ["a", "b"]) {
          const complete = backups.filter((backup) => backup.resourceId === resourceId && backup.state === "complete");
          if (complete.length > 0) assert.ok(complete.some(({ id }) => !gone.has(id)));
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** For each backup by itself: it stays if few enough are newer, or if it is the newest of one of the last periods. Dates by `Intl`. */
function oracle(backups: Retained[], rule: Rule): string[] {
  if (rule.maxBackups === null || rule.maxBackups <= 0) return [];
  const zone = rule.timezone === null ? "UTC" : rule.timezone.replace(/^UTC(?=[+-])/, "");
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const date = (backup: Retained): string => format.format(new Date(backup.createdAt / 1000));
  const monday = (backup: Retained): string => {
    const midnight = new Date(`${date(backup)}T00:00:00Z`);
    midnight.setUTCDate(midnight.getUTCDate() - ((midnight.getUTCDay() + 6) % 7));
    return midnight.toISOString().slice(0, 10);
  };
  const periods: [number | null, (backup: Retained) => string][] = [
    [rule.dayBackups, date],
    [rule.weekBackups, monday],
    [rule.monthBackups, (backup) => date(backup).slice(0, 7)],
    [rule.yearBackups, (backup) => date(backup).slice(0, 4)],
  ];
  const isNewer = (a: Retained, b: Retained): boolean => a.createdAt > b.createdAt || (a.createdAt === b.createdAt && a.id > b.id);
  const complete = backups.filter(({ state }) => state === "complete");
  return complete
    .filter((backup) => {
      const newer = complete.filter((other) => other.resourceId === backup.resourceId && isNewer(other, backup));
      if (newer.length < rule.maxBackups!) return false;
      return !periods.some(([most, keyOf]) => {
        const newerPeriods = new Set(newer.map(keyOf));
        return (most ?? 0) > 0 && !newerPeriods.has(keyOf(backup)) && newerPeriods.size < most!;
      });
    })
    .map(({ id }) => id)
    .toSorted();
}
