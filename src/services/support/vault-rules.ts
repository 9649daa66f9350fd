import { DomainError } from "#model/errors.ts";
import type { Tag, Vault } from "#model/vault.ts";
import type { ServiceSettings } from "../context.ts";
import { checkTags } from "./tags.ts";

/** @throws DomainError `vaultSizeInvalid` */
export function checkVaultSize(settings: Pick<ServiceSettings, "vaultMinGib" | "vaultMaxGib">, sizeGib: number): number {
  const { vaultMinGib, vaultMaxGib } = settings;
  if (!Number.isSafeInteger(sizeGib) || sizeGib < vaultMinGib || sizeGib > vaultMaxGib) {
    throw new DomainError("vaultSizeInvalid", `size: must be a whole number of GB from ${vaultMinGib} to ${vaultMaxGib}`, { field: "size" });
  }
  return sizeGib;
}

/**
 * Which resources a vault binds by itself: those with any of up to five tags, of which several may have one key. No tag is no rule: all that
 * are unprotected.
 */
export function checkBindRules(rules: { tags?: Tag[] } | undefined): Vault["bindRules"] {
  const field = "bind_rules.tags";
  const tags = (rules?.tags ?? []).flatMap((tag) => checkTags([tag], field, 1));
  if (tags.length > 5) throw new DomainError("invalidRequest", `${field}: at most 5 are allowed`, { field });
  return tags.length === 0 ? {} : { tags };
}

/** @throws DomainError `vaultNotApplicationConsistent` */
export function checkConsistentLevel(level: Vault["consistentLevel"]): Vault["consistentLevel"] {
  if (level !== "app_consistent") return level;
  throw new DomainError("vaultNotApplicationConsistent", "consistent_level: application-consistent backups are not supported", {
    field: "consistent_level",
  });
}
