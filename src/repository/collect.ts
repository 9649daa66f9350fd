import type { Random } from "#platform/random.ts";
import { binObjectKey, packObjectKey } from "./layout.ts";
import { compactPacks } from "./collect-compact.ts";
import { binEntry } from "./collect-bin.ts";
import { checkGeneration, raiseGeneration } from "./collect-generation.ts";
import { markTenant } from "./collect-mark.ts";
import type { Mark, MarkParts } from "./collect-mark.ts";
import { adoptOrphans } from "./collect-orphans.ts";
import { planCollect } from "./collect-plan.ts";
import type { CollectAction, CollectPlan, CollectPolicy } from "./collect-plan.ts";
import { throwIfCancelled } from "./engine-errors.ts";
import type { TaskControl } from "./engine-types.ts";
import { RepositoryError } from "./engine-types.ts";
import type { TenantKeys } from "./keys.ts";
import { packStates } from "./session-ledger.ts";
import type { LedgerClock } from "./session-ledger.ts";

export interface CollectParts extends MarkParts {
  clock: LedgerClock;
  random: Random;
  /** Undefined when the tenant has no key, or it was destroyed. */
  keysOf(tenant: string): Promise<TenantKeys | undefined>;
  /** Size of the packs that compaction writes, bytes; default 32 MiB. */
  packBytes?: number;
}

export interface CollectRequest extends CollectPolicy {
  tenant: string;
  /** Plan, and change nothing. */
  dryRun: boolean;
  /** How long an object that is no pack that could be read stays after it was first seen, microseconds. */
  orphanUs: number;
}

/** What one collection planned and did. */
export interface CollectReport {
  plan: CollectPlan;
  /** Backups whose bytes could not all be found. */
  damaged: { backupId: string; reason: string }[];
  rootCount: number;
  done: { purged: number; revived: number; condemned: number; compacted: number; deleted: number; adopted: number; sweptOrphans: number };
  condemnedBytes: number;
  /** Bytes that left the store. */
  freedBytes: number;
}

const leaseUs = 10 * 60 * 1_000_000;

/**
 * One collection of one tenant: finishes what an earlier one began, marks, plans, and does what was planned. A pack is condemned by one run and
 * deleted by a later one, at least the grace period afterwards. May be repeated at any time, and interrupted anywhere.
 * Errors: `collectRunning`, `indexOutdated`, `cancelled`, those of the store.
 */
export async function collectTenant(parts: CollectParts, request: CollectRequest, control: TaskControl = {}): Promise<CollectReport> {
  return await new Collection(parts, request, control).run();
}

class Collection {
  readonly #parts: CollectParts;
  readonly #request: CollectRequest;
  readonly #control: TaskControl;
  readonly #token: Uint8Array;
  readonly #report: Omit<CollectReport, "plan"> = {
    damaged: [],
    rootCount: 0,
    done: { purged: 0, revived: 0, condemned: 0, compacted: 0, deleted: 0, adopted: 0, sweptOrphans: 0 },
    condemnedBytes: 0,
    freedBytes: 0,
  };

  constructor(parts: CollectParts, request: CollectRequest, control: TaskControl) {
    this.#parts = parts;
    this.#request = request;
    this.#control = control;
    this.#token = parts.random.bytes(16);
  }

  async run(): Promise<CollectReport> {
    const { index, clock, store } = this.#parts;
    if (this.#request.dryRun) return await this.#planned(await this.#mark());
    const nowUs = clock.nowUs();
    index.ledger.takeCollector(this.#token, nowUs, nowUs + leaseUs);
    try {
      await checkGeneration(store, index);
      await this.#finishDeletions();
      const { adopted, unreadable } = await adoptOrphans(this.#parts, this.#request.tenant, () => this.#keep());
      this.#report.done.adopted = adopted;
      const mark = await this.#mark();
      const report = await this.#planned(mark);
      await this.#execute(report.plan, mark);
      if (report.plan.stopped === undefined && mark.damaged.length === 0) await this.#sweepOrphans(unreadable);
      return report;
    } finally {
      index.ledger.releaseCollector(this.#token);
    }
  }

  async #mark(): Promise<Mark> {
    const { clock, index } = this.#parts;
    const { tenant, graceUs } = this.#request;
    this.#say("marking", 0);
    const keys = await this.#parts.keysOf(tenant);
    if (keys === undefined) throw new RepositoryError("keyDestroyed", `tenant ${tenant} has no key: what its backups need cannot be known`);
    const nowUs = index.ledger.noteTime(clock);
    // Everything that the plan relies on is looked at after this.
    const start = index.ledger.beginMark(tenant, clock.nowUs());
    return await markTenant(
      this.#parts,
      tenant,
      keys,
      start,
      ({ deletedAtUs }) => deletedAtUs <= nowUs - graceUs,
      () => this.#keepIfTaken(),
    );
  }

  async #planned(mark: Mark): Promise<CollectReport> {
    const { tenant, graceUs, maxCondemnRatio, compactBelowRatio } = this.#request;
    const { epoch, floor } = mark.start;
    const plan = planCollect({
      tenant,
      epoch,
      floor,
      nowUs: this.#nowUs(),
      packs: mark.facts(),
      purge: mark.expired,
      unknown: mark.unknown,
      policy: { graceUs, maxCondemnRatio, compactBelowRatio },
    });
    return Object.assign(this.#report, { plan, damaged: mark.damaged, rootCount: mark.rootCount });
  }

  async #execute(plan: CollectPlan, mark: Mark): Promise<void> {
    const { index, store } = this.#parts;
    const { tenant, graceUs } = this.#request;
    const { ledger } = index;
    const packs = (kind: CollectAction["kind"]): Map<number, number> =>
      new Map(plan.actions.flatMap((action) => (action.kind === kind && action.kind !== "purge" ? [[action.packNo, action.bytes]] : [])));
    const { done } = this.#report;
    if (plan.stopped === undefined) ledger.noteNeeded(this.#token, mark.needed());
    const revive = packs("revive");
    ledger.revive([...revive.keys()]);
    done.revived = revive.size;
    for (const action of plan.actions) {
      if (action.kind !== "purge" || ledger.isPinned(tenant, action.backupId)) continue;
      this.#keep();
      // Deleted anew since the mark: its time begins again.
      if ((await binEntry(store, tenant, action.backupId))?.deletedAtUs !== action.deletedAtUs) continue;
      await store.delete(binObjectKey(tenant, action.backupId));
      done.purged++;
    }
    this.#keep();
    const condemn = packs("condemn");
    for (const packNo of ledger.condemn(this.#token, [...condemn.keys()], mark.start, this.#nowUs())) {
      done.condemned++;
      this.#report.condemnedBytes += condemn.get(packNo)!;
    }
    const compact = plan.actions.flatMap((action) => (action.kind === "compact" ? [action] : []));
    await compactPacks({ ...this.#parts, tenant, keys: (await this.#parts.keysOf(tenant))! }, compact, mark, {
      pace: async (bytes) => this.#control.pace?.(bytes),
      guard: () => ledger.requireCollector(this.#token),
      keep: (bytes) => {
        this.#keep();
        this.#say("compacting", bytes);
      },
      condemn: (packNos) => {
        const condemned = ledger.condemn(this.#token, packNos, mark.start, this.#nowUs());
        done.compacted += condemned.size;
      },
    });
    const doomed = packs("delete");
    if (doomed.size === 0) return;
    this.#keep();
    await raiseGeneration(store, index, this.#parts.random, this.#token);
    this.#keep();
    ledger.beginDelete(this.#token, [...doomed.keys()], mark.start, this.#nowUs() - graceUs);
    await this.#finishDeletions();
  }

  /** Deletes what is being deleted: first the objects, then the places, then the rows. What was begun is always finished, by whoever comes. */
  async #finishDeletions(): Promise<void> {
    const { store, index } = this.#parts;
    const { tenant } = this.#request;
    const gone = new Set<number>();
    const doomed = [...index.ledger.packsOf(tenant)].filter(({ state }) => state === packStates.deleting);
    for (const { no, packId, sizeBytes } of doomed) {
      this.#keep();
      await store.delete(packObjectKey(tenant, packId));
      gone.add(no);
      this.#report.done.deleted++;
      this.#report.freedBytes += sizeBytes;
      this.#say("deleting", this.#report.freedBytes);
    }
    if (gone.size === 0) return;
    for (let firstByte = 0; firstByte < 256; firstByte++) {
      index.removePlaces(tenant, gone, firstByte);
      if (firstByte % 16 === 15) await pause();
    }
    index.removePackRows(tenant, gone);
  }

  async #sweepOrphans(unreadable: readonly { key: string; sizeBytes: number }[]): Promise<void> {
    const { store, index } = this.#parts;
    for (const { key, sizeBytes } of unreadable) {
      this.#keep();
      const nowUs = this.#nowUs();
      if (index.ledger.noteOrphan(key, nowUs) > nowUs - this.#request.orphanUs) continue;
      await store.delete(key);
      index.ledger.forgetOrphan(key);
      this.#report.done.sweptOrphans++;
      this.#report.freedBytes += sizeBytes;
    }
  }

  /** The time by which grace is measured. */
  #nowUs(): number {
    return this.#parts.index.ledger.noteTime(this.#parts.clock);
  }

  #keepIfTaken(): void {
    if (this.#request.dryRun) throwIfCancelled(this.#control.signal);
    else this.#keep();
  }

  /** To be called before every step: goes on only while this is the one collection. */
  #keep(): void {
    throwIfCancelled(this.#control.signal);
    this.#parts.index.ledger.renewCollector(this.#token, this.#parts.clock.nowUs() + leaseUs);
  }

  #say(phase: string, bytesDone: number): void {
    this.#control.onProgress?.({ phase, bytesDone, bytesTotal: null });
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
