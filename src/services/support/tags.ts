import { DomainError } from "#model/errors.ts";
import type { Tag } from "#model/vault.ts";

// oxlint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u001f=*<>\\,|/]/;

/** Most tags that one vault may have. */
export const maxVaultTags = 20;

/** Most tags that one resource may have. */
export const maxResourceTags = 20;

/** Tags as CBR allows them: keys 1 to 36 and values up to 43 characters, none of `=*<>\,|/`, keys unique. */
export function checkTags(tags: readonly Tag[], field: string, most: number): Tag[] {
  const refused = (says: string): DomainError => new DomainError("invalidRequest", `${field}: ${says}`, { field });
  if (tags.length > most) throw refused(`at most ${most} are allowed`);
  const clean = tags.map((tag) => ({ key: tag.key.trim(), value: tag.value?.trim() ?? null }));
  for (const { key, value } of clean) {
    if (key.length < 1 || key.length > 36 || forbidden.test(key)) throw refused("a key must be 1 to 36 characters long, without =*<>\\,|/");
    if (value !== null && (value.length > 43 || forbidden.test(value)))
      throw refused("a value must be at most 43 characters long, without =*<>\\,|/");
  }
  if (new Set(clean.map((tag) => tag.key)).size < clean.length) throw refused("a key is given twice");
  return clean;
}
