import type { Id, ProjectId, TimestampUs } from "./ids.ts";

/** What can be told to a webhook; docs/events.md has their bodies. */
export const eventTypes = [
  "task.success",
  "task.failed",
  "task.skipped",
  "task.timeout",
  "vault.nearly_full",
  "check.damage_found",
  "webhook.test",
] as const;
export type EventType = (typeof eventTypes)[number];

/** Something that happened in a project. Written in the transaction that made it so. */
export interface ProjectEvent {
  id: Id;
  projectId: ProjectId;
  type: EventType;
  /** What the body of a delivery has as `data`. */
  data: Record<string, unknown>;
  createdAt: TimestampUs;
}

/** Where events of a project are sent. */
export interface Webhook {
  id: Id;
  projectId: ProjectId;
  userId: string;
  url: string;
  /** Types, or such as `task.*`; see {@link wantsEvent}. */
  events: string[];
  description: string | null;
  /** What deliveries are signed with, sealed under the master key. */
  sealedSecret: Uint8Array;
  enabled: boolean;
  createdAt: TimestampUs;
  updatedAt: TimestampUs | null;
}

/** One event on its way to one webhook. `dead` = given up after too many attempts. */
export interface Delivery {
  id: Id;
  projectId: ProjectId;
  eventId: Id;
  webhookId: Id;
  status: "pending" | "delivered" | "dead";
  attempts: number;
  nextAttemptAt: TimestampUs;
  /** Of the last attempt: its HTTP status, or why there was none. */
  lastStatus: number | null;
  lastError: string | null;
  createdAt: TimestampUs;
  endedAt: TimestampUs | null;
}

/** Whether one of the patterns is the type, its beginning with `.*`, or `*`. */
export const wantsEvent = (patterns: readonly string[], type: EventType): boolean =>
  patterns.some((pattern) => pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1))));
/** Whether a pattern can ever match. */
export const isEventPattern = (pattern: string): boolean => eventTypes.some((type) => wantsEvent([pattern], type));
