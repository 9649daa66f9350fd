import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { allVaults } from "../support/find.ts";

/** Every key that a vault of the project has, with the values it has there; both in order. */
export async function showVaultProjectTag(context: Context, caller: Caller): Promise<{ key: string; values: string[] }[]> {
  const values = new Map<string, Set<string>>();
  for (const { tags } of await allVaults(context.catalog, caller)) {
    for (const { key, value } of tags) values.set(key, (values.get(key) ?? new Set()).add(value ?? ""));
  }
  return [...values].map(([key, found]) => ({ key, values: [...found].toSorted() })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
