import type { ProjectEvent } from "#model/event.ts";
import { naiveUtc } from "#model/timestamps.ts";
import type { Context } from "../context.ts";

/** An event as it is told, to webhooks and in lists: docs/events.md. */
export const eventBody = ({ settings }: Pick<Context, "settings">, event: ProjectEvent) => ({
  id: event.id,
  type: event.type,
  project_id: event.projectId,
  region: settings.region,
  created_at: `${naiveUtc(event.createdAt)}Z`,
  data: event.data,
});
