import { DomainError } from "#model/errors.ts";

const cbrName = /^[\u4e00-\u9fa5\uf900-\ufa2da-zA-Z0-9_-]{1,64}$/;
const zone = /^[A-Za-z0-9._-]{1,64}$/;
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f]/;

const invalid = (field: string, says: string): DomainError => new DomainError("invalidRequest", `${field}: ${says}`, { field });

/** A name as CBR allows it: 1 to 64 letters, digits, CJK, `_` or `-`. */
export function checkName(name: string, field: string): string {
  if (!cbrName.test(name)) throw invalid(field, "must be 1 to 64 letters, digits, underscores or hyphens");
  return name;
}

/** A name as Block Storage allows it: up to 255 characters, none of them a control character. */
export function checkLooseName(name: string, field: string): string {
  if (Array.from(name).length > 255) throw invalid(field, "must be at most 255 characters long");
  if (control.test(name)) throw invalid(field, "must not contain control characters");
  return name;
}

/** A CBR description: up to 255 characters without angle brackets. */
export function checkDescription(text: string | null | undefined, field: string): string | null {
  const description = checkLooseDescription(text, field);
  if (description !== null && /[<>]/.test(description)) throw invalid(field, "must not contain < or >");
  return description;
}

/** A Block Storage description: up to 255 characters. */
export function checkLooseDescription(text: string | null | undefined, field: string): string | null {
  if (text === undefined || text === null) return null;
  if (Array.from(text).length > 255) throw invalid(field, "must be at most 255 characters long");
  return text;
}

export function checkZone(text: string, field: string): string {
  if (!zone.test(text)) throw invalid(field, "must be 1 to 64 letters, digits, dots, underscores or hyphens");
  return text;
}

export function checkWholeNumber(value: number, field: string, minimum: number, maximum: number): number {
  if (!Number.isSafeInteger(value) || value < minimum || value > maximum)
    throw invalid(field, `must be a whole number from ${minimum} to ${maximum}`);
  return value;
}

/** Key/value pairs of a volume, snapshot or backup: keys 1 to 255 characters, values at most 255. */
export function checkMetadata(metadata: Record<string, string> | undefined, field: string): Record<string, string> {
  const entries = Object.entries(metadata ?? {});
  if (entries.length > 128) throw invalid(field, "must have at most 128 entries");
  for (const [key, value] of entries) {
    if (key.length < 1 || key.length > 255) throw invalid(field, "keys must be 1 to 255 characters long");
    if (typeof value !== "string" || value.length > 255) throw invalid(`${field}.${key}`, "must be a text of at most 255 characters");
  }
  return Object.fromEntries(entries);
}

/** The largest volume, GiB: what a sparse file of the common file systems can be. */
export const maxVolumeGib = 65_536;
export const gibBytes = 1024 ** 3;
