import type { Listed, Page } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { EventType, ProjectEvent } from "#model/event.ts";
import type { TimestampUs } from "#model/ids.ts";
import type { Context } from "../context.ts";

/** What happened in the caller's project, newest first. */
export const listEvents = (
  { catalog }: Context,
  caller: Caller,
  filter: { type?: EventType; createdFrom?: TimestampUs; createdTo?: TimestampUs },
  page: Page,
): Promise<Listed<ProjectEvent>> => catalog.events.list(caller.projectId, filter, page);
