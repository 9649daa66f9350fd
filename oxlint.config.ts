import { defineConfig } from "oxlint";
import { closedDoorMessage, doorBetween, roomNames, rooms, type RoomName } from "./tools/layers.ts";

/** The closed doors of one room as patterns of `no-restricted-imports`; `tools/check-layers.ts` checks the finer points. */
function closedDoors(from: RoomName) {
  const patterns = roomNames
    .filter((to) => doorBetween(from, to) !== "open")
    .map((to) => {
      const typesOnly = doorBetween(from, to) === "types";
      return { regex: `^(#|(\\.\\./)+)${to}/`, message: closedDoorMessage(from, to, typesOnly), allowTypeImports: typesOnly };
    });
  if (rooms[from].pure === true) {
    patterns.push({ regex: "^[^.#]", message: closedDoorMessage(from, "node:* or a package"), allowTypeImports: false });
  }
  return patterns;
}

// oxlint reads its configuration from a default export: the one place that has one.
export default defineConfig({
  plugins: ["typescript", "unicorn", "oxc", "import", "promise", "node"],
  categories: { correctness: "error", suspicious: "error" },
  options: { typeAware: true },
  rules: {
    "import/no-default-export": "error",
    "import/no-unassigned-import": "off",
    "import/no-named-as-default-member": "off",
    "typescript/consistent-type-imports": "error",
    "typescript/no-floating-promises": [
      "error",
      { allowForKnownSafeCalls: [{ from: "package", name: ["test", "it", "describe", "suite"], package: "node:test" }] },
    ],
    "typescript/no-misused-promises": "error",
    "typescript/no-unsafe-type-assertion": "off",
    "typescript/no-explicit-any": "error",
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "eslint/no-console": "error",
    "eslint/eqeqeq": "error",
    "eslint/no-shadow": "off",
    "eslint/no-await-in-loop": "off",
    // tsc already demands a return on every path of a function whose type has no undefined.
    "typescript/consistent-return": "off",
    "typescript/no-redundant-type-constituents": "off",
    "eslint/no-underscore-dangle": "off",
    "unicorn/consistent-function-scoping": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/prefer-node-protocol": "error",
  },
  overrides: [
    ...roomNames.map((room) => ({
      files: [`src/${room}/**/*.ts`],
      rules: { "no-restricted-imports": ["error", { patterns: closedDoors(room) }] as ["error", { patterns: ReturnType<typeof closedDoors> }] },
    })),
    {
      files: ["**/*.test.ts", "test/**/*.ts"],
      rules: { "no-restricted-imports": "off", "typescript/no-floating-promises": "off", "typescript/no-explicit-any": "off" },
    },
    { files: ["src/cli/**/*.ts", "src/main.ts", "test/**/*.ts", "tools/**/*.ts", "bench/**/*.ts"], rules: { "eslint/no-console": "off" } },
    { files: ["*.config.ts"], rules: { "import/no-default-export": "off" } },
  ],
  ignorePatterns: ["node_modules", "data", "bench/work", "test/interop/**/vendor"],
});
