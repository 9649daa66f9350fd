import { packStates } from "./session-ledger.ts";
import type { LedgerPack } from "./session-ledger.ts";

/** A pack with what a mark found out about it. */
export interface PackFact extends Omit<LedgerPack, "packId" | "recordCount"> {
  /** Hex. */
  packId: string;
  /** Bytes of all its records: a little less than the pack's. */
  recordBytes: number;
  /** Bytes of the records that some root needs; those of a pack that is needed for other reasons count as all. */
  liveBytes: number;
  /** Bytes of the records that nothing needs but deleted backups whose time is over. */
  expiredBytes: number;
}

export interface CollectPolicy {
  /** How long a deleted backup can be brought back, and a condemned pack stays, microseconds. */
  graceUs: number;
  /** A run that finds more than this part of what was needed not needed any more, with no deleted backup to explain it, stops; 1 = no such limit. */
  maxCondemnRatio: number;
  /** Packs of which less than this part is in use are copied together. */
  compactBelowRatio: number;
}

/** What collection is going to do, and why. */
export type CollectAction =
  | { kind: "revive" | "condemn" | "delete" | "compact"; packNo: number; packId: string; bytes: number; liveBytes: number; reason: string }
  | { kind: "purge"; backupId: string; deletedAtUs: number; bytes: 0; reason: string };

export interface CollectPlan {
  tenant: string;
  epoch: number;
  floor: number;
  actions: CollectAction[];
  /** Why nothing but reviving is done; undefined when the plan stands. */
  stopped: string | undefined;
  /** Of all packs, before anything is done. */
  packBytes: number;
  liveBytes: number;
  condemnBytes: number;
  /** What was needed before, and is not now, although no backup that needed it was deleted. */
  unexplainedBytes: number;
  deleteBytes: number;
  compactBytes: number;
}

export interface PlanInput {
  tenant: string;
  epoch: number;
  floor: number;
  nowUs: number;
  packs: Iterable<PackFact>;
  /** Deleted backups whose time is over and that nothing is compared with. */
  purge: readonly { backupId: string; deletedAtUs: number }[];
  /** Why what the roots need is not wholly known. Nothing may be condemned then. */
  unknown: string | undefined;
  policy: CollectPolicy;
}

/** Decides; pure. The executor asks the ledger again for each pack, because others do not wait. */
export function planCollect(input: PlanInput): CollectPlan {
  const { tenant, epoch, floor, nowUs, policy } = input;
  const plan: CollectPlan = {
    tenant,
    epoch,
    floor,
    actions: input.purge.map(({ backupId, deletedAtUs }) => ({
      kind: "purge",
      backupId,
      deletedAtUs,
      bytes: 0,
      reason: "deleted, and its grace period is over",
    })),
    stopped: input.unknown,
    packBytes: 0,
    liveBytes: 0,
    condemnBytes: 0,
    unexplainedBytes: 0,
    deleteBytes: 0,
    compactBytes: 0,
  };
  let neededBefore = 0;
  for (const pack of input.packs) {
    if (pack.state === packStates.live) neededBefore += pack.neededBytes ?? pack.recordBytes;
    plan.packBytes += pack.sizeBytes;
    plan.liveBytes += pack.liveBytes;
    const action = actionFor(pack, { epoch, floor, nowUs, policy });
    plan.unexplainedBytes += unexplainedBytes(pack, action?.[0] === "condemn");
    if (action === undefined) continue;
    const [kind, reason] = action;
    plan.actions.push({ kind, packNo: pack.no, packId: pack.packId, bytes: pack.sizeBytes, liveBytes: pack.liveBytes, reason });
    if (kind === "condemn") plan.condemnBytes += pack.sizeBytes;
    if (kind === "delete") plan.deleteBytes += pack.sizeBytes;
    if (kind === "compact") plan.compactBytes += pack.sizeBytes;
  }
  if (plan.stopped === undefined && plan.unexplainedBytes > neededBefore * policy.maxCondemnRatio)
    plan.stopped =
      `${plan.unexplainedBytes} of ${neededBefore} bytes that were needed are not any more, although nothing that needed them was deleted: ` +
      `more than ${Math.round(policy.maxCondemnRatio * 100)} %`;
  if (plan.stopped !== undefined) plan.actions = plan.actions.filter(({ kind }) => kind === "revive");
  return plan;
}

/**
 * What of a pack has got lost between two marks. Of a pack that no mark has looked at, all may have been needed; that counts if it is condemned. What
 * is condemned already has been counted.
 */
function unexplainedBytes({ state, neededBytes, recordBytes, liveBytes, expiredBytes }: PackFact, isCondemned: boolean): number {
  if (state !== packStates.live || (neededBytes === undefined && !isCondemned)) return 0;
  return Math.max(0, (neededBytes ?? recordBytes) - liveBytes - expiredBytes);
}

function actionFor(
  pack: PackFact,
  { epoch, floor, nowUs, policy }: { epoch: number; floor: number; nowUs: number; policy: CollectPolicy },
): ["revive" | "condemn" | "delete" | "compact", string] | undefined {
  if (pack.state === packStates.deleting) return undefined;
  if (pack.state === packStates.condemned) {
    if (pack.liveBytes > 0) return ["revive", "in use after all"];
    if (pack.touchEpoch >= floor || pack.condemnedEpoch >= epoch || pack.condemnedAtUs > nowUs - policy.graceUs) return undefined;
    return ["delete", "condemned for the grace period, and still not in use"];
  }
  if (pack.touchEpoch >= floor) return undefined;
  if (pack.liveBytes === 0) return ["condemn", "no backup needs it, and none has touched it of late"];
  if (pack.liveBytes < pack.recordBytes * policy.compactBelowRatio)
    return ["compact", `${Math.round((pack.liveBytes / pack.recordBytes) * 100)} % of it is in use`];
  return undefined;
}
