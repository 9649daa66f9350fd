import type { BackupOffer, Offer } from "./offer.ts";
import type { Origin } from "./replica-feed.ts";

/** A backup of this repository, or of a store in another folder, as the origin of a copy. */
export class TenantBackup implements Origin {
  readonly #offer: BackupOffer;
  readonly #whenClosed: () => void;
  receivedBytes = 0;

  constructor(offer: BackupOffer, whenClosed: () => void = () => {}) {
    this.#offer = offer;
    this.#whenClosed = whenClosed;
  }

  async describe(): Promise<Offer> {
    const offer = this.#offer.describe();
    this.receivedBytes += offer.pages.length;
    return offer;
  }

  async list(page: number): Promise<Uint8Array> {
    const refs = await this.#offer.list(page);
    this.receivedBytes += refs.length;
    return refs;
  }

  async chunks(wanted: readonly { chunk: number }[]): Promise<Uint8Array[]> {
    const plain: Uint8Array[] = [];
    for (const { chunk } of wanted) {
      const bytes = await this.#offer.chunk(chunk);
      this.receivedBytes += bytes.length;
      plain.push(bytes);
    }
    return plain;
  }

  close(): void {
    this.#whenClosed();
  }
}
