import type { Page, Sort } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import { integer, one, type Query, sorts } from "../query.ts";

/** Longest page, and the page of a request without `limit`. */
export const maxPage = 1000;

const pagingNames = new Set(["limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants", "project_id"]);

/** `limit` (0 is an empty page), `offset`, `marker`; an unknown marker is an error, as an ignored one is an endless loop to some clients. */
export function blockStoragePage(query: Query): Page {
  const limit = integer(query, "limit", { min: 0, max: 2_147_483_647, default: maxPage });
  const offset = integer(query, "offset", { min: 0, max: 2_147_483_647, default: 0 });
  const marker = one(query, "marker");
  if (marker !== undefined && !isUuid(marker))
    throw new DomainError("invalidRequest", `marker: ${JSON.stringify(marker.slice(0, 64))} is no id`, { field: "marker" });
  return { limit: Math.min(limit, maxPage), offset, ...(marker === undefined ? {} : { marker }) };
}

/** `sort=key:dir,…`, or the older `sort_key` with `sort_dir`; newest first when neither is given. */
export function blockStorageSort<Key extends string>(query: Query, keys: Readonly<Record<string, Key>>): Sort<Key>[] {
  const text = one(query, "sort");
  if (text !== undefined) return sorts(text, "sort", keys, "desc");
  const names = one(query, "sort_key");
  const direction = one(query, "sort_dir") ?? "desc";
  if (direction !== "asc" && direction !== "desc") throw new DomainError("invalidRequest", "sort_dir: must be asc or desc", { field: "sort_dir" });
  return sorts(names ?? "created_at", "sort_key", keys, direction);
}

/** From 3.31 on an unknown filter is refused; before it is passed over, and always for administrators. */
export function refuseUnknownFilters(query: Query, names: readonly string[], caller: Caller): void {
  if (caller.roles.includes("admin")) return;
  for (const name of Object.keys(query)) {
    if (!names.includes(name) && !pagingNames.has(name))
      throw new DomainError("invalidRequest", `${name.slice(0, 64)}: is no filter of this list`, { field: name.slice(0, 64) });
  }
}
