import assert from "node:assert/strict";
import { test } from "node:test";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulate.ts";

for (const [name, mutate] of Object.entries(mutants))
  test(`noticed: ${name}`, async (t) => {
    for (let seed = 0; seed < 300; seed++) {
      const { violation } = await simulate({ seed, mutate });
      if (violation === undefined) continue;
      t.diagnostic(`seed ${seed}: ${violation.split("\n", 1)[0]}`);
      return;
    }
    assert.fail("no seed noticed");
  });
