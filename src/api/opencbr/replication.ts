import { DomainError } from "#model/errors.ts";
import { isUuid } from "#model/ids.ts";
import type { Context } from "#services/context.ts";
import { beginReplica } from "#services/replication/beginReplica.ts";
import { cancelReplica } from "#services/replication/cancelReplica.ts";
import { examineDestination } from "#services/replication/examineDestination.ts";
import { listVaultsForPeer } from "#services/replication/listVaultsForPeer.ts";
import { readOffer } from "#services/replication/readOffer.ts";
import { showReplica } from "#services/replication/showReplica.ts";
import type { CopyOrder } from "#services/replication/target.ts";
import { paramsSchema } from "../cbr/schemas.ts";
import { HttpFailure } from "../http/failure.ts";
import { type Answer, defineRoute, type Request } from "../http/route.ts";
import { chunksBody, examinationBody, orderBody, vaultsBody } from "./replication-schemas.ts";

/** Larger than the order of a server with as many disks as it may have. */
const orderBytes = 1024 * 1024;
const offerParams = paramsSchema("record_id", "backup_id");

const regionOf = (request: Request<unknown>): string => request.principal?.peerRegion ?? "";

function idOf({ params }: Request<unknown>, name: string): string {
  const id = params[name] ?? "";
  if (!isUuid(id)) throw new HttpFailure(404, `no ${name} ${JSON.stringify(id.slice(0, 64))}`);
  return id;
}

async function offered(request: Request<unknown>, context: Context, part: Parameters<typeof readOffer>[2]["part"]): Promise<Answer> {
  const asked = { recordId: idOf(request, "record_id"), backupId: idOf(request, "backup_id"), part };
  return { body: await readOffer(context, regionOf(request), asked) };
}

/** What the services of other regions ask of this one: to make copies here, and for the pieces of backups that are copied from here. */
export const replicationRoutes = [
  defineRoute({
    method: "POST",
    path: "/examinations",
    operation: "ExamineDestination",
    action: "opencbr:replication:get",
    access: "peer",
    successStatus: 200,
    schema: { body: examinationBody },
    async handler(request, _caller, context) {
      const region = regionOf(request);
      return { body: { copied: await examineDestination(context, context.catalog, { region }, { ...request.body, sourceRegion: region }) } };
    },
  }),
  defineRoute({
    method: "POST",
    path: "/vaults",
    operation: "ListVaultsForPeer",
    action: "opencbr:replication:list",
    access: "peer",
    successStatus: 200,
    schema: { body: vaultsBody },
    handler: async (request, _caller, context) => ({ body: await listVaultsForPeer(context, regionOf(request), request.body) }),
  }),
  defineRoute({
    method: "POST",
    path: "/replicas",
    operation: "BeginReplica",
    action: "opencbr:replication:create",
    access: "peer",
    successStatus: 202,
    bodyLimitBytes: orderBytes,
    schema: { body: orderBody },
    async handler(request, _caller, context) {
      // The schema has looked at every member that is read.
      const order = request.body as unknown as CopyOrder;
      return { body: { record: await beginReplica(context, { region: regionOf(request) }, order) } };
    },
  }),
  defineRoute({
    method: "GET",
    path: "/replicas/:record_id",
    operation: "ShowReplica",
    action: "opencbr:replication:get",
    access: "peer",
    successStatus: 200,
    schema: { params: paramsSchema("record_id") },
    async handler(request, _caller, context) {
      const record = await showReplica(context, regionOf(request), idOf(request, "record_id"));
      if (record === undefined) throw new HttpFailure(404, "There is no such copying.");
      return { body: { record } };
    },
  }),
  defineRoute({
    method: "DELETE",
    path: "/replicas/:record_id",
    operation: "CancelReplica",
    action: "opencbr:replication:delete",
    access: "peer",
    successStatus: 204,
    schema: { params: paramsSchema("record_id") },
    async handler(request, _caller, context) {
      const record = await showReplica(context, regionOf(request), idOf(request, "record_id"));
      if (record !== undefined) await cancelReplica(context, record.id);
      return {};
    },
  }),
  defineRoute({
    method: "GET",
    path: "/offers/:record_id/:backup_id",
    operation: "ReadOffer",
    action: "opencbr:replication:get",
    access: "peer",
    successStatus: 200,
    schema: { params: offerParams },
    handler: (request, _caller, context) => offered(request, context, { kind: "offer" }),
  }),
  defineRoute({
    method: "GET",
    path: "/offers/:record_id/:backup_id/pages/:page",
    operation: "ReadOfferedPage",
    action: "opencbr:replication:get",
    access: "peer",
    successStatus: 200,
    schema: { params: paramsSchema("record_id", "backup_id", "page") },
    handler(request, _caller, context) {
      const page = request.params["page"] ?? "";
      if (!/^\d{1,9}$/.test(page)) throw new DomainError("invalidRequest", "page: must be a whole number", { field: "page" });
      return offered(request, context, { kind: "page", page: Number(page) });
    },
  }),
  defineRoute({
    method: "POST",
    path: "/offers/:record_id/:backup_id/chunks",
    operation: "ReadOfferedChunks",
    action: "opencbr:replication:get",
    access: "peer",
    successStatus: 200,
    schema: { params: offerParams, body: chunksBody },
    handler: (request, _caller, context) => offered(request, context, { kind: "chunks", chunks: request.body.chunks }),
  }),
];
