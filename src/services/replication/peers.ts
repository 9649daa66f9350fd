import type { ProjectId } from "#model/ids.ts";
import type { PeerAddress } from "#platform/peer-client.ts";
import type { Context } from "../context.ts";

/** Another region's service, as the operator has configured it. */
export interface Peer {
  region: string;
  address: PeerAddress;
  /** What both services know; the one that asks shows it. */
  secret: string | undefined;
  /** The name in the certificate that it must show when it asks; undefined = it proves itself by the secret alone. */
  certificateName: string | undefined;
  /** Which of its projects may be copied into which of ours. */
  accept: readonly { from: ProjectId; into: ProjectId }[];
}

export const peersOf = (context: Pick<Context, "peers">): readonly Peer[] => context.peers ?? [];

export const peerOf = (context: Pick<Context, "peers">, region: string): Peer | undefined =>
  peersOf(context).find((candidate) => candidate.region === region);

/** Under this header a service tells which region it is. */
export const peerRegionHeader = "x-opencbr-region";

/** Where a service serves the others. */
export const replicationPath = "/opencbr/v1/replication";

/** For whom a backup is offered: what is equal for one audience does not show as equal to another. */
export const audienceOf = (region: string, projectId: ProjectId): string => `${region}/${projectId}`;
