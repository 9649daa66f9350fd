import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { TLSSocket } from "node:tls";
import type { Context } from "#services/context.ts";
import { peerOf, peerRegionHeader } from "#services/replication/peers.ts";
import { unauthenticated } from "../http/failure.ts";
import type { Principal } from "./principal.ts";

const hash = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();

/**
 * Which region's service is asking: it names itself, and proves it as the operator has configured, by its certificate, a shared secret, or both.
 * @throws HttpFailure 401
 */
export function authenticatePeer(context: Context, request: { headers: IncomingHttpHeaders; socket: unknown }): Principal {
  const named = request.headers[peerRegionHeader];
  const peer = typeof named === "string" ? peerOf(context, named) : undefined;
  if (peer === undefined) throw unauthenticated(`${peerRegionHeader} names no region that is known here`);
  if (peer.secret !== undefined) {
    const given = request.headers.authorization ?? "";
    if (!timingSafeEqual(hash(given), hash(`Bearer ${peer.secret}`))) throw unauthenticated(`this is not the secret of region ${peer.region}`);
  }
  if (peer.certificateName !== undefined && !hasCertificate(request.socket, peer.certificateName))
    throw unauthenticated(`no valid certificate for ${peer.certificateName} was shown`);
  const scope = { kind: "unscoped" } as const;
  return { userId: `region:${peer.region}`, userName: peer.region, domainId: "", scope, roles: [], token: undefined, peerRegion: peer.region };
}

/** Whether the connection's other end has shown a certificate of one of the accepted authorities for this name. */
function hasCertificate(socket: unknown, name: string): boolean {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
  return socket.getPeerX509Certificate()?.checkHost(name) !== undefined;
}
