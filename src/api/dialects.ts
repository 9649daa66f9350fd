import type { FastifyInstance } from "fastify";
import { agentRoutes } from "./cbr/agents.ts";
import { cbrAnswers, cbrError } from "./cbr/answers.ts";
import { backupRoutes as cbrBackupRoutes } from "./cbr/backups.ts";
import { checkpointRoutes } from "./cbr/checkpoints.ts";
import { memberRoutes } from "./cbr/members.ts";
import { featureRoutes } from "./cbr/features.ts";
import { importRoutes } from "./cbr/imports.ts";
import { protectableRoutes } from "./cbr/protectables.ts";
import { regionRoutes } from "./cbr/region.ts";
import { replicationRoutes } from "./cbr/replications.ts";
import { organizationPolicyRoutes } from "./cbr/organization-policies.ts";
import { policyRoutes } from "./cbr/policies.ts";
import { tagRoutes } from "./cbr/tags.ts";
import { taskRoutes as cbrTaskRoutes } from "./cbr/tasks.ts";
import { vaultOrderRoutes } from "./cbr/vault-orders.ts";
import { vaultResourceRoutes } from "./cbr/vault-resources.ts";
import { vaultOverviewRoutes } from "./cbr/vault-overview.ts";
import { vaultRoutes } from "./cbr/vaults.ts";
import { versionRoutes as cbrVersionRoutes } from "./cbr/versions.ts";
import { backupActionRoutes } from "./cinder/backup-actions.ts";
import { backupRoutes } from "./cinder/backups.ts";
import type { BlockStorageOptions, Version } from "./cinder/block-storage.ts";
import { serviceFactRoutes } from "./cinder/service-facts.ts";
import { snapshotRoutes } from "./cinder/snapshots.ts";
import { volumeActionRoutes } from "./cinder/volume-actions.ts";
import { versionRoutes } from "./cinder/versions.ts";
import { volumeRoutes } from "./cinder/volumes.ts";
import { cloudBackupRoutes } from "./vbs/cloudbackups.ts";
import { jobRoutes } from "./vbs/jobs.ts";
import { registerRoutes } from "./http/routes.ts";
import type { DialectName, Route } from "./http/route.ts";
import { auditRoutes } from "./opencbr/audit.ts";
import { collectRoutes } from "./opencbr/collections.ts";
import { checkRoutes } from "./opencbr/checks.ts";
import { dataRoutes } from "./opencbr/data.ts";
import { eventRoutes } from "./opencbr/events.ts";
import { webhookRoutes } from "./opencbr/webhooks.ts";
import { replicationRoutes as peerRoutes } from "./opencbr/replication.ts";
import { resourceRoutes } from "./opencbr/resources.ts";
import { taskRoutes } from "./opencbr/tasks.ts";
import { volumeTagRoutes } from "./vbs/volume-tags.ts";

/** A set of routes, and the path prefixes below which it answers. */
export interface Dialect {
  name: Exclude<DialectName, "identity">;
  prefixes: string[];
  routes: Route[];
}

function blockStorageRoutes(version: Version, options: BlockStorageOptions): Route[] {
  return [
    ...backupRoutes(version, options),
    ...backupActionRoutes(version, options),
    ...volumeRoutes(version),
    ...volumeActionRoutes(version),
    ...snapshotRoutes(version),
    ...serviceFactRoutes(version),
  ];
}

/** CBR's routes with what they answer, for the description of the API. */
const described = (routes: readonly Route[]): Route[] =>
  routes.map((route) => {
    const response = cbrAnswers[route.operation];
    return { ...route, schema: { ...route.schema, error: cbrError, ...(response === undefined ? {} : { response }) } };
  });

/** Every route of the dialects beside identity. */
export function dialects(options: BlockStorageOptions): Dialect[] {
  return [
    {
      name: "cbr",
      prefixes: ["/v3/:project_id", "/cbr/v3/:project_id"],
      routes: described([
        ...vaultRoutes,
        ...vaultOverviewRoutes,
        ...vaultResourceRoutes,
        ...vaultOrderRoutes,
        ...cbrBackupRoutes,
        ...memberRoutes,
        ...checkpointRoutes,
        ...replicationRoutes,
        ...cbrTaskRoutes,
        ...tagRoutes,
        ...protectableRoutes,
        ...featureRoutes,
        ...agentRoutes,
        ...importRoutes,
        ...policyRoutes,
        ...organizationPolicyRoutes,
      ]),
    },
    { name: "cbr", prefixes: ["/v3", "/cbr/v3"], routes: described(regionRoutes) },
    { name: "cbr", prefixes: ["/cbr"], routes: described(cbrVersionRoutes) },
    { name: "cinder", prefixes: ["/volume"], routes: versionRoutes },
    { name: "cinder", prefixes: ["/volume/v3/:project_id"], routes: blockStorageRoutes("v3", options) },
    {
      name: "vbs",
      prefixes: ["/volume/v2/:project_id", "/v2/:project_id"],
      routes: [...blockStorageRoutes("v2", options), ...cloudBackupRoutes, ...volumeTagRoutes],
    },
    { name: "vbs", prefixes: ["/volume/v1/:project_id", "/v1/:project_id"], routes: jobRoutes },
    { name: "opencbr", prefixes: ["/opencbr/v1/replication"], routes: peerRoutes },
    {
      name: "opencbr",
      prefixes: ["/opencbr/v1/:project_id"],
      routes: [...resourceRoutes, ...dataRoutes, ...taskRoutes, ...checkRoutes, ...collectRoutes, ...auditRoutes, ...eventRoutes, ...webhookRoutes],
    },
  ];
}

/** Serves every dialect beside identity. */
export function registerDialects(app: FastifyInstance, options: BlockStorageOptions): void {
  for (const { name, prefixes, routes } of dialects(options)) registerRoutes(app, name, prefixes, routes);
}
