import { DomainError } from "#model/errors.ts";
import { listFeatures } from "#services/features/listFeatures.ts";
import { defineRoute } from "../http/route.ts";
import { integer } from "../query.ts";
import { paramsSchema, querySchema } from "./schemas.ts";

export const featureRoutes = [
  defineRoute({
    method: "GET",
    path: "/cbr-features",
    operation: "ListFeatures",
    action: "cbr:features:list",
    successStatus: 200,
    schema: { params: paramsSchema("project_id"), querystring: querySchema(["limit", "offset"]) },
    async handler({ query }, _caller, context) {
      const limit = integer(query, "limit", { min: 1, max: 1000, default: 1000 });
      const offset = integer(query, "offset", { min: 0, max: 1000, default: 0 });
      return { body: Object.fromEntries(Object.entries(listFeatures(context)).slice(offset, offset + limit)) };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/cbr-features/:feature_key",
    operation: "ShowFeature",
    action: "cbr:features:get",
    successStatus: 200,
    schema: { params: paramsSchema("project_id", "feature_key"), querystring: querySchema(["limit", "offset"]) },
    async handler({ params }, _caller, context) {
      const key = params["feature_key"] ?? "";
      const features = listFeatures(context);
      const value = Object.hasOwn(features, key) ? features[key] : undefined;
      if (value === undefined)
        throw new DomainError("invalidRequest", `feature_key: must be one of ${Object.keys(features).join(", ")}`, { field: "feature_key" });
      return { body: { [key]: value } };
    },
  }),
];
