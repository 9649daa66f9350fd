import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "./simulate.ts";

const seeds = 500;

/** Where the story of a seed can be read: it is the same each time. */
const replay = (seed: number): string => `node test/simulation/run.ts --from ${seed} --seeds 1 --hours 8 --log`;

test(`${seeds} seeds: every committed backup restores after every step, and in the end there is no garbage`, async (t) => {
  const counts: Record<string, number> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const result = await simulate({ seed, hours: 8 });
    assert.equal(result.violation, undefined, `seed ${seed}: ${result.violation}\n${replay(seed)}\n${result.log.slice(-40).join("\n")}`);
    for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count;
  }
  t.diagnostic(JSON.stringify(counts));
  for (const what of [
    "backups",
    "restores",
    "deletions",
    "undeletions",
    "deleted packs",
    "compacted",
    "adopted",
    "crashes",
    "rollbacks",
    "failed backups",
  ])
    assert.ok((counts[what] ?? 0) > 0, `no seed came to ${what}`);
});

test("a seed tells the same story each time", async () => {
  const [one, two] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })];
  assert.deepEqual(one, two);
  assert.ok(one.steps > 50);
});
