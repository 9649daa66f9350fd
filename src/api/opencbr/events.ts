import { eventTypes } from "#model/event.ts";
import { eventBody } from "#services/events/eventBody.ts";
import { listEvents } from "#services/events/listEvents.ts";
import { paramsSchema, querySchema } from "../cbr/schemas.ts";
import { defineRoute } from "../http/route.ts";
import { instant, oneOf, page } from "../query.ts";

/** What happened. */
export const eventRoutes = [
  defineRoute({
    method: "GET",
    path: "/events",
    operation: "ListEvents",
    action: "opencbr:events:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["type", "start_time", "end_time", "limit", "offset", "marker"]) },
    async handler({ query }, caller, context) {
      const asked = page(query, { max: 1000 });
      const [type, createdFrom, createdTo] = [oneOf(query, "type", eventTypes), instant(query, "start_time"), instant(query, "end_time")];
      const filter = {
        ...(type === undefined ? {} : { type }),
        ...(createdFrom === undefined ? {} : { createdFrom }),
        ...(createdTo === undefined ? {} : { createdTo }),
      };
      const { items, count } = await listEvents(context, caller, filter, asked);
      return { body: { events: items.map((event) => eventBody(context, event)), count, limit: asked.limit, offset: asked.offset } };
    },
  }),
];
