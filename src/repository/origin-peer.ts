import type { Clock } from "#platform/clock.ts";
import { PeerClient } from "#platform/peer-client.ts";
import { throwIfCancelled } from "./engine-errors.ts";
import { RepositoryError } from "./engine-types.ts";
import type { PeerOrigin } from "./engine-types.ts";
import { decodeChunks, decodeList, decodeOffer, maxOfferedBytes } from "./offer.ts";
import type { Offer } from "./offer.ts";
import { maxEncodedPageBytes } from "./page.ts";
import { decompress } from "./record.ts";
import type { Origin } from "./replica-feed.ts";

/** How long a peer may fail to answer before the copying ends, and how often a damaged answer is asked for again. */
const patienceUs = 30_000_000;
const askedAgain = 2;
const maxOfferBytes = 256 << 20;
/** Heads of the pieces in an answer: at most one piece per 64 KiB. */
const overheadBytes = 64 << 10;

/** A backup that another service offers, as the origin of a copy. What does not arrive whole is asked for again. */
export class PeerBackup implements Origin {
  readonly #client: PeerClient;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  receivedBytes = 0;

  constructor(from: PeerOrigin, clock: Clock, signal: AbortSignal | undefined) {
    this.#client = new PeerClient(from.peer);
    this.#path = from.path;
    this.#clock = clock;
    this.#signal = signal;
  }

  describe(): Promise<Offer> {
    return this.#ask({ method: "GET", path: "" }, maxOfferBytes, decodeOffer);
  }

  list(page: number, pageRef: Uint8Array): Promise<Uint8Array> {
    return this.#ask({ method: "GET", path: `/pages/${page}` }, maxEncodedPageBytes + 32, (answer) => decodeList(answer, pageRef));
  }

  chunks(wanted: readonly { chunk: number; ref: Uint8Array; plainLength: number }[]): Promise<Uint8Array[]> {
    const body = { chunks: wanted.map(({ chunk }) => chunk) };
    return this.#ask({ method: "POST", path: "/chunks", body }, maxOfferedBytes + overheadBytes, (answer) => {
      const plain: Uint8Array[] = [];
      for (const { payload, compressed, plainLength } of decodeChunks(answer, wanted)) {
        try {
          plain.push(compressed ? decompress(payload, plainLength) : payload);
        } catch (cause) {
          throw new RepositoryError("originDamaged", "what came from the source is a piece that does not decompress", cause);
        }
      }
      return plain;
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Asks until there is a sound answer, or no hope of one. */
  async #ask<T>(question: { method: "GET" | "POST"; path: string; body?: unknown }, maxBytes: number, read: (answer: Buffer) => T): Promise<T> {
    const untilUs = this.#clock.nowUs() + patienceUs;
    let damagedAnswers = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        return read(await this.#once(question, maxBytes));
      } catch (error) {
        throwIfCancelled(this.#signal);
        const code = error instanceof RepositoryError ? error.code : undefined;
        const again = code === "originUnreachable" ? this.#clock.nowUs() < untilUs : code === "originDamaged" && damagedAnswers++ < askedAgain;
        if (!again) throw error;
        await this.#clock.sleep(Math.min(5000, 100 * 2 ** attempt), this.#signal).catch(() => undefined);
        throwIfCancelled(this.#signal);
      }
    }
  }

  async #once(question: { method: "GET" | "POST"; path: string; body?: unknown }, maxBytes: number): Promise<Buffer> {
    const path = this.#path + question.path;
    let answer: { status: number; body: Buffer };
    try {
      answer = await this.#client.request({ ...question, path, signal: this.#signal, maxBytes });
    } catch (error) {
      throw new RepositoryError("originUnreachable", `the source did not answer: ${(error as Error).message}`, error);
    }
    this.receivedBytes += answer.body.length;
    if (answer.status === 200) return answer.body;
    const code = answer.status >= 500 ? "originUnreachable" : "originRefused";
    throw new RepositoryError(code, `the source answered ${answer.status}: ${answer.body.toString("utf8", 0, 300)}`);
  }
}
