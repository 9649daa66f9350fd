import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { defineRoute } from "../http/route.ts";
import { page } from "../query.ts";
import { idSchema, maybe, paramsSchema, querySchema } from "./schemas.ts";

/*
 * There are no agents: disks are read where they lie. What asks about agents is told so; what needs one is refused with the published codes.
 */

const checkBody = Type.Object({
  agent_status: Type.Array(
    Type.Object({ resource_id: idSchema, resource_type: Type.String({ maxLength: 64 }), resource_name: maybe(Type.String({ maxLength: 255 })) }),
    { maxItems: 256 },
  ),
});
const agentParams = paramsSchema("project_id", "agent_id");

function refuse(params: Readonly<Record<string, string>>): never {
  throw new DomainError("agentNotFound", `agent_id: there is no agent ${JSON.stringify((params["agent_id"] ?? "").slice(0, 64))}`, {
    field: "agent_id",
  });
}

/** An operation on an agent, none of which there is. */
const onAgent = (method: "GET" | "PUT" | "POST" | "DELETE", tail: string, operation: string, verb: string) =>
  defineRoute({
    method,
    path: `/agents/:agent_id${tail}`,
    operation,
    action: `cbr:agents:${verb}`,
    successStatus: 200,
    schema: { params: agentParams },
    async handler({ params }) {
      return refuse(params);
    },
  });

export const agentRoutes = [
  defineRoute({
    method: "POST",
    path: "/agent/check",
    operation: "CheckAgent",
    action: "cbr:agents:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), body: checkBody },
    async handler({ body }) {
      const none = { installed: false, version: null, is_old: null, code: null, message: null };
      return { body: { agent_status: body.agent_status.map(({ resource_id }) => ({ resource_id, ...none })) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/agents",
    operation: "RegisterAgent",
    action: "cbr:agents:register",
    successStatus: 200,
    schema: { params: paramsSchema("project_id") },
    async handler() {
      throw new DomainError("agentsNotSupported", "agent: this service reads disks where they lie; agents on hosts cannot be registered", {
        field: "agent",
      });
    },
  }),
  defineRoute({
    method: "GET",
    path: "/agents",
    operation: "ListAgent",
    action: "cbr:agents:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["limit", "offset", "status", "agent_id"]) },
    async handler({ query }) {
      const { limit, offset } = page(query, { max: 1000 });
      return { body: { agents: [], count: 0, limit, offset } };
    },
  }),
  onAgent("GET", "", "ShowAgent", "get"),
  onAgent("PUT", "", "UpdateAgent", "update"),
  onAgent("DELETE", "", "UnregisterAgent", "unregister"),
  onAgent("POST", "/add-path", "AddAgentPath", "addPath"),
  onAgent("POST", "/remove-path", "RemoveAgentPath", "removePath"),
];
