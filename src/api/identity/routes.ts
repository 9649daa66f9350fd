import { rolesOf } from "#services/context.ts";
import type { Route } from "../http/route.ts";
import { assignmentRoutes } from "./assignment-routes.ts";
import { credentialRoutes } from "./credential-routes.ts";
import { directoryRoutes } from "./directory-routes.ts";
import { discoveryRoutes } from "./discovery.ts";
import type { Identity } from "./identity.ts";
import { projectRoutes } from "./project-routes.ts";
import { temporaryKeyRoutes } from "./temporary-key-routes.ts";
import { tokenRoutes } from "./token-routes.ts";
import { userRoutes } from "./user-routes.ts";

/** Every route of the identity service: Keystone v3's shapes, and the few of IAM that clients need. */
export const identityRoutes = (identity: Identity, { hostRules }: { hostRules: boolean }): Route[] => [
  ...discoveryRoutes,
  ...tokenRoutes(identity, hostRules),
  ...directoryRoutes(identity),
  ...projectRoutes(identity),
  ...userRoutes(identity),
  ...assignmentRoutes(identity, rolesOf(identity.context).names),
  ...credentialRoutes(identity),
  ...temporaryKeyRoutes(identity),
];
