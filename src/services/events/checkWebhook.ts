import { DomainError } from "#model/errors.ts";
import { eventTypes, isEventPattern } from "#model/event.ts";

/** The patterns, each of which can match. @throws DomainError `invalidRequest` */
export function checkEvents(events: readonly string[] | undefined): string[] | undefined {
  if (events === undefined) return undefined;
  const field = "webhook.events";
  if (events.length === 0) throw new DomainError("invalidRequest", `${field}: is empty: nothing would be sent`, { field });
  const wrong = events.find((pattern) => !isEventPattern(pattern));
  if (wrong === undefined) return [...new Set(events)];
  const known = `known are *, task.* and ${eventTypes.filter((type) => type !== "webhook.test").join(", ")}`;
  throw new DomainError("invalidRequest", `${field}: ${JSON.stringify(wrong.slice(0, 64))} is no event; ${known}`, { field });
}

/** @throws DomainError `invalidRequest` */
export function checkSecret(secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined;
  if (/^[\x21-\x7e]{16,128}$/.test(secret)) return secret;
  const field = "webhook.secret";
  throw new DomainError("invalidRequest", `${field}: must be 16 to 128 printable characters without spaces`, { field });
}
