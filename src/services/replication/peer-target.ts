import type { Listed } from "#catalog/tables.ts";
import { DomainError, errorKinds } from "#model/errors.ts";
import type { ErrorCode } from "#model/errors.ts";
import type { Id } from "#model/ids.ts";
import type { ReplicationRecord } from "#model/replication.ts";
import { PeerClient } from "#platform/peer-client.ts";
import type { VaultView } from "../views.ts";
import type { VaultQuestion } from "./listVaultsForPeer.ts";
import { replicationPath } from "./peers.ts";
import type { Peer } from "./peers.ts";
import type { CopyOrder, CopyQuestion, ReplicaTarget } from "./target.ts";

const maxAnswerBytes = 16 << 20;

/** What a destination may refuse with, by the code that travels. */
const refusals = new Map<string, ErrorCode>(
  (["projectTakesNoReplicas", "destinationVaultMissing", "vaultTakesNoReplicas", "destinationVaultFull", "invalidRequest"] as const).map((code) => [
    errorKinds[code].cbr,
    code,
  ]),
);

async function ask<T>(peer: Peer, method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T | undefined> {
  const client = new PeerClient(peer.address);
  try {
    const answer = await client.request({ method, path: replicationPath + path, body, maxBytes: maxAnswerBytes });
    return understand(peer, answer) as T | undefined;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("destinationUnreachable", `Region ${peer.region} does not answer.`, { cause: error });
  } finally {
    client.close();
  }
}

/** The vaults of a project of another region into which the caller's project may copy. @throws DomainError as {@link ReplicaTarget} says */
export const vaultsOfPeer = async (peer: Peer, question: VaultQuestion): Promise<Listed<VaultView>> =>
  (await ask<Listed<VaultView>>(peer, "POST", "/vaults", question)) ?? { items: [], count: 0 };

/** Another region as the destination of copies. */
export function peerTarget(peer: Peer): ReplicaTarget {
  const recordOf = (answer: { record: ReplicationRecord } | undefined): ReplicationRecord => {
    if (answer === undefined) throw new DomainError("destinationUnreachable", `Region ${peer.region} does not serve copies.`);
    return answer.record;
  };
  return {
    async examine(question: CopyQuestion): Promise<Id[]> {
      return (await ask<{ copied: Id[] }>(peer, "POST", "/examinations", question))?.copied ?? [];
    },
    begin: async (order: CopyOrder) => recordOf(await ask(peer, "POST", "/replicas", order)),
    show: async (recordId) => (await ask<{ record: ReplicationRecord }>(peer, "GET", `/replicas/${recordId}`))?.record,
    async cancel(recordId) {
      await ask(peer, "DELETE", `/replicas/${recordId}`);
    },
  };
}

/** The answer's body; undefined for 404 and where there is none. */
function understand(peer: Peer, { status, body }: { status: number; body: Buffer }): unknown {
  if (status === 404 || status === 204) return undefined;
  if (status >= 500) throw new DomainError("destinationUnreachable", `Region ${peer.region} failed with status ${status}.`);
  let told: Record<string, unknown>;
  try {
    told = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  } catch (cause) {
    throw new DomainError("destinationUnreachable", `Region ${peer.region} answered something else than JSON.`, { cause });
  }
  if (status < 300) return told;
  if (status === 401)
    throw new DomainError("regionNotReachable", `Region ${peer.region} does not know this region.`, { field: "destination_region" });
  const { error_code: theirs, error_msg: message } = told;
  const code = (typeof theirs === "string" && refusals.get(theirs)) || "replicationFailed";
  throw new DomainError(code, typeof message === "string" ? message.slice(0, 1000) : `Region ${peer.region} refused with status ${status}.`);
}
