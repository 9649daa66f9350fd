import type { Tag } from "./vault.ts";

/** One key of a tag filter and the values that satisfy it; none = any. A value that begins with `*` is contained in the tag's. */
export interface TagCondition {
  key: string;
  values: string[];
}

/** Conditions on tags. A list that is absent or empty asks for nothing. */
export interface TagFilter {
  /** Every key, each with one of its values. */
  tags?: TagCondition[];
  /** At least one of the keys. */
  tagsAny?: TagCondition[];
  /** Not every key. */
  notTags?: TagCondition[];
  /** None of the keys. */
  notTagsAny?: TagCondition[];
  /** Only what has no tag at all; the other conditions are then passed over. */
  withoutAnyTag?: boolean;
}

function satisfies(tags: readonly Tag[], { key, values }: TagCondition): boolean {
  const tag = tags.find((one) => one.key === key);
  if (tag === undefined) return false;
  const has = tag.value ?? "";
  return values.length === 0 || values.some((value) => (value.startsWith("*") ? has.includes(value.slice(1)) : has === value));
}

/** Whether a set of tags satisfies the filter. A tag without a value is one whose value is the empty text. */
export function matchesTags(tags: readonly Tag[], filter: TagFilter): boolean {
  if (filter.withoutAnyTag === true) return tags.length === 0;
  const fits = (condition: TagCondition): boolean => satisfies(tags, condition);
  const asks = (conditions: readonly TagCondition[] | undefined): conditions is readonly TagCondition[] => (conditions?.length ?? 0) > 0;
  return (
    (!asks(filter.tags) || filter.tags.every(fits)) &&
    (!asks(filter.tagsAny) || filter.tagsAny.some(fits)) &&
    (!asks(filter.notTags) || !filter.notTags.every(fits)) &&
    (!asks(filter.notTagsAny) || !filter.notTagsAny.some(fits))
  );
}
