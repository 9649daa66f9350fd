import { CatalogError } from "#catalog/errors.ts";
import type { AuditEntry } from "#model/audit.ts";
import type { Id, TimestampUs } from "#model/ids.ts";
import type { Context } from "../context.ts";
import { inBackground } from "../support/background.ts";

/** What is known of a call before it is done. */
export type AuditedCall = Omit<AuditEntry, "id" | "status" | "errorCode" | "times" | "createdAt" | "endedAt">;

/** How a call ended, and what was learned of it meanwhile. */
export interface AuditOutcome {
  status: number;
  errorCode: string | null;
  learned?: Partial<Pick<AuditEntry, "resourceType" | "resourceId" | "resourceName" | "projectId" | "userId" | "userName" | "domainId">>;
}

/** A call that was begun. */
export interface AuditMark {
  id: Id;
  call: AuditedCall;
  piecesOf: string | undefined;
  /** Set when the entry stands for earlier calls already. */
  merged: Pieces | undefined;
}

/** Many calls in one entry: pieces of data that the same caller writes to the same resource. */
interface Pieces {
  id: Id;
  beganAt: TimestampUs;
  times: number;
}

export interface AuditTrail {
  /**
   * Writes an entry for a call that is about to change something; it is durable when this resolves, so that no change is without one. Calls with
   * the same `piecesOf` share the entry of the first of them for {@link piecesForUs}.
   */
  begin(call: AuditedCall, piecesOf?: string): Promise<AuditMark>;
  /** How it ended. Written within {@link delayMs}, with whatever else is to be written then. */
  end(mark: AuditMark, outcome: AuditOutcome): void;
  /** A call that was refused before it was begun, or that changes nothing here. Written as {@link end} does. */
  note(call: AuditedCall, outcome: AuditOutcome): void;
  /** Writes at once what is waiting. What cannot be written is logged and tried again with the next. */
  flush(): Promise<void>;
  /** Entries that were left out: of unknown callers beyond {@link unknownPerSecond}, or for want of room. */
  readonly omitted: number;
}

const delayMs = 100;
const piecesForUs = 60_000_000;
/** Somebody unknown must not be able to fill the disk: so many entries a second in the mean, and that many at once. */
const unknownPerSecond = 1;
const unknownAtOnce = 100;
/** Entries that wait at most, while the catalog cannot be written. */
const maxWaiting = 10_000;
const maxPieces = 1000;

type Write = { insert: AuditEntry } | { update: Partial<Omit<AuditEntry, "id">> };

const trails = new WeakMap<Context, AuditTrail>();

/** The audit trail of a service: one per context. */
export function auditTrailOf(context: Context): AuditTrail {
  let trail = trails.get(context);
  if (trail === undefined) trails.set(context, (trail = createAuditTrail(context)));
  return trail;
}

function createAuditTrail(context: Context): AuditTrail {
  const { catalog, clock, random, log } = context;
  const pieces = new Map<string, Pieces>();
  let waiting = new Map<Id, Write>();
  let scheduled = false;
  let omitted = 0;
  let allowance = unknownAtOnce;
  let allowedAtUs = clock.nowUs();

  function mayNote(call: AuditedCall): boolean {
    if (call.userId === "") {
      const nowUs = clock.nowUs();
      allowance = Math.min(unknownAtOnce, allowance + (Math.max(0, nowUs - allowedAtUs) / 1e6) * unknownPerSecond);
      allowedAtUs = nowUs;
      if (allowance < 1) return false;
      allowance -= 1;
    }
    return waiting.size < maxWaiting;
  }

  function queue(id: Id, write: Write): void {
    const before = waiting.get(id);
    if (before !== undefined && "insert" in before && "update" in write) waiting.set(id, { insert: { ...before.insert, ...write.update } });
    else if (before !== undefined && "update" in before && "update" in write) waiting.set(id, { update: { ...before.update, ...write.update } });
    else waiting.set(id, write);
    if (scheduled) return;
    scheduled = true;
    inBackground(context, "audit", async () => {
      await clock.sleep(delayMs);
      await flush();
    });
  }

  async function flush(): Promise<void> {
    scheduled = false;
    if (waiting.size === 0) return;
    const batch = waiting;
    waiting = new Map();
    try {
      await writeAll(batch);
    } catch (error) {
      if (error instanceof CatalogError && error.code === "constraint") return writeEach(batch);
      log.error({ err: error, entries: batch.size }, "the audit log could not be written; it is tried again with the next entry");
      waiting = new Map([...batch, ...waiting]);
    }
  }

  const writeAll = (batch: ReadonlyMap<Id, Write>): Promise<void> =>
    catalog.transaction(async ({ audit }) => {
      for (const [id, write] of batch) await ("insert" in write ? audit.insert(write.insert) : audit.update(id, write.update));
    });

  /** An entry that can never be written must not keep the others from being. */
  async function writeEach(batch: ReadonlyMap<Id, Write>): Promise<void> {
    for (const [id, write] of batch) {
      try {
        await writeAll(new Map([[id, write]]));
      } catch (error) {
        omitted += 1;
        log.error({ err: error, entry: write }, "an entry of the audit log was refused by the catalog");
      }
    }
  }

  const entryOf = (call: AuditedCall, id: Id, now: TimestampUs): AuditEntry => ({
    ...call,
    id,
    status: null,
    errorCode: null,
    times: 1,
    createdAt: now,
    endedAt: null,
  });

  function note(call: AuditedCall, { status, errorCode, learned }: AuditOutcome): void {
    if (!mayNote(call)) {
      omitted += 1;
      return;
    }
    const now = clock.nowUs();
    const id = random.uuid();
    queue(id, { insert: { ...entryOf(call, id, now), ...learned, status, errorCode, endedAt: now } });
  }

  function remember(key: string, entry: Pieces): void {
    pieces.delete(key);
    pieces.set(key, entry);
    if (pieces.size > maxPieces) pieces.delete(pieces.keys().next().value!);
  }

  return {
    async begin(call, piecesOf) {
      const now = clock.nowUs();
      const known = piecesOf === undefined ? undefined : pieces.get(piecesOf);
      if (known !== undefined && now >= known.beganAt && now - known.beganAt < piecesForUs) return { id: known.id, call, piecesOf, merged: known };
      const entry = entryOf(call, random.uuid(), now);
      await catalog.audit.insert(entry);
      return { id: entry.id, call, piecesOf, merged: undefined };
    },
    end(mark, outcome) {
      const { status, errorCode, learned } = outcome;
      const endedAt = clock.nowUs();
      if (mark.merged === undefined) {
        queue(mark.id, { update: { ...learned, status, errorCode, endedAt } });
        if (mark.piecesOf !== undefined && status < 400) remember(mark.piecesOf, { id: mark.id, beganAt: endedAt, times: 1 });
      } else if (status >= 400) note(mark.call, outcome);
      else {
        mark.merged.times += 1;
        queue(mark.id, { update: { times: mark.merged.times, endedAt } });
      }
    },
    note,
    flush,
    get omitted() {
      return omitted;
    },
  };
}
