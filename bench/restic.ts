import { execFileSync } from "node:child_process";

/** The restic that is measured: `OPENCBR_BENCH_RESTIC`, or the one on the path. */
export const resticProgram = process.env["OPENCBR_BENCH_RESTIC"] ?? "restic";

const says = (...args: string[]): string => execFileSync(resticProgram, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

/** Its flag for leaving holes when it restores; it came with restic 0.15. */
export const resticSparse = (): string[] => (/--sparse/.test(says("restore", "--help")) ? ["--sparse"] : []);

/** Which restic it is and how it restores; undefined when there is none. */
export function describeRestic(): string | undefined {
  try {
    const version = /restic \S+/.exec(says("version"))?.[0] ?? "restic of an unknown version";
    return `${version}, restored ${resticSparse().length > 0 ? "with --sparse" : "without --sparse, which it does not have"}`;
  } catch {
    return undefined;
  }
}
