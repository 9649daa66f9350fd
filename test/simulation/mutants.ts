import type { SessionLedger } from "#repository/session-ledger.ts";

/** Ways to break the protocol, each of which loses data sooner or later. */
export const mutants: Readonly<Record<string, (ledger: SessionLedger) => void>> = {
  "the floor is taken when packs are condemned, not when the mark starts"(ledger) {
    const beginMark = ledger.beginMark.bind(ledger);
    ledger.beginMark = (tenant, nowUs) => {
      const { epoch, pins, roots } = beginMark(tenant, nowUs);
      return {
        epoch,
        pins,
        roots,
        get floor() {
          return Math.max(epoch, ledger.currentFloor()) + 1;
        },
      };
    };
  },
  "a pack that is used again is not touched"(ledger) {
    ledger.touch = (_session, packNos) => new Set(packNos);
  },
  "the base is not pinned"(ledger) {
    const openSession = ledger.openSession.bind(ledger);
    ledger.openSession = (options) => openSession({ ...options, pin: null });
  },
  "the session is not looked at again after the root was put"(ledger) {
    ledger.commitSession = (session) => {
      ledger.noteRoot(session.tenant, session.backupId);
      ledger.dropSession(session);
    };
  },
};
