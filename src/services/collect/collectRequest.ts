import type { ProjectId } from "#model/ids.ts";
import type { CollectRequest } from "#repository/collect.ts";
import type { Context } from "../context.ts";

const dayUs = 24 * 3600 * 1_000_000;

/** A collection of a project as the settings have it. `force`: however much is lost without a deletion. */
export function collectRequest(
  { settings }: Pick<Context, "settings">,
  projectId: ProjectId,
  { dryRun = false, force = false } = {},
): CollectRequest {
  return {
    tenant: projectId,
    dryRun,
    graceUs: settings.graceUs ?? dayUs,
    maxCondemnRatio: force ? 1 : (settings.maxCondemnRatio ?? 0.2),
    compactBelowRatio: 0.5,
    orphanUs: 7 * dayUs,
  };
}
