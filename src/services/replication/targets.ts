import type { Id, ProjectId } from "#model/ids.ts";
import { DomainError } from "#model/errors.ts";
import type { Context } from "../context.ts";
import { beginReplica } from "./beginReplica.ts";
import { cancelReplica } from "./cancelReplica.ts";
import { examineDestination } from "./examineDestination.ts";
import { peerTarget } from "./peer-target.ts";
import { peerOf } from "./peers.ts";
import type { ReplicaTarget } from "./target.ts";

/** Where copies go to, as the destination of a request names it. @throws DomainError `regionNotReachable` */
export function targetOf(context: Context, destination: { region: string; projectId: ProjectId }, userId: Id): ReplicaTarget {
  const { region } = destination;
  if (region === context.settings.region) return thisService(context, userId);
  const peer = peerOf(context, region);
  if (peer !== undefined) return peerTarget(peer);
  throw new DomainError("regionNotReachable", `destination_region: ${region} is not a region that this one copies to`, {
    field: "destination_region",
  });
}

function thisService(context: Context, userId: Id): ReplicaTarget {
  const sender = { userId };
  return {
    examine: (question) => examineDestination(context, context.catalog, sender, question),
    begin: (order) => beginReplica(context, sender, order),
    show: (recordId) => context.catalog.replications.get(recordId),
    cancel: (recordId) => cancelReplica(context, recordId),
  };
}
