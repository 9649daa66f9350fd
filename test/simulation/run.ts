/**
 * `node test/simulation/run.ts [--seeds N] [--from SEED] [--hours H] [--log]`: any number of seeds; a seed that fails prints itself, and with
 * `--log` its story. Ends with the number of failures as a line, and with 1 when there was one.
 */
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    hours: { type: "string", default: "40" },
    log: { type: "boolean", default: false },
  },
});
const [seeds, from, hours] = [Number(values.seeds), Number(values.from), Number(values.hours)];
let failed = 0;
for (let seed = from; seed < from + seeds; seed++) {
  const { violation, log } = await simulate({ seed, hours });
  if (values.log) console.log(log.join("\n"));
  if (violation === undefined) continue;
  failed++;
  console.log(`seed ${seed} (--hours ${hours}): ${violation}`);
}
console.log(`${failed} of ${seeds} seeds failed`);
process.exit(failed > 0 ? 1 : 0);
