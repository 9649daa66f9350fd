import { DomainError } from "#model/errors.ts";
import { defineRoute } from "../http/route.ts";
import { paramsSchema } from "./schemas.ts";

const operations = [
  ["CreatePostPaidVault", "POST", "/vaults/order", "cbr:vaults:createOrder"],
  ["ChangeVaultChargeMode", "POST", "/vaults/change-charge-mode", "cbr:vaults:changeChargeMode"],
  ["ChangeOrder", "POST", "/orders/change", "cbr:orders:change"],
  ["UpdateOrder", "PUT", "/orders/:order_id", "cbr:orders:update"],
] as const;

/** Orders and charging: a service that nobody pays for has none, and says so whatever is asked for. */
export const vaultOrderRoutes = operations.map(([operation, method, path, action]) =>
  defineRoute({
    method,
    path,
    operation,
    action,
    successStatus: 200,
    schema: { params: path === "/orders/:order_id" ? paramsSchema("project_id", "order_id") : paramsSchema("project_id") },
    handler() {
      throw new DomainError("noBilling", "There are no orders and no charging here: create and change vaults themselves, post_paid.");
    },
  }),
);
