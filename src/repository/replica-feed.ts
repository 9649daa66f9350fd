import { RepositoryError } from "./engine-types.ts";
import type { Offer } from "./offer.ts";
import { placesWithData } from "./offer.ts";
import { pageChunks } from "./page.ts";
import type { KnownRefs } from "./replica-refs.ts";

/** Where the pieces of a copy come from: a backup of this repository, or one that a peer offers. Everything that it gives is verified. */
export interface Origin {
  describe(): Promise<Offer>;
  /** References of a page's chunks, 32 bytes each, zeros for holes. */
  list(page: number, pageRef: Uint8Array): Promise<Uint8Array>;
  /** Plain bytes of chunks, in the order asked for. */
  chunks(wanted: readonly { chunk: number; ref: Uint8Array; plainLength: number }[]): Promise<Uint8Array[]>;
  /** Bytes of all answers so far. */
  readonly receivedBytes: number;
  close(): void;
}

/** What a copy is made from: the offer, what of it is here already, and the rest piece by piece. */
export class ReplicaFeed {
  readonly offer: Offer;
  readonly #origin: Origin;
  readonly #known: KnownRefs;
  /** References of the chunks of pages that are being worked on. */
  readonly #lists = new Map<number, Uint8Array>();

  constructor(origin: Origin, offer: Offer, known: KnownRefs) {
    this.#origin = origin;
    this.offer = offer;
    this.#known = known;
  }

  get receivedBytes(): number {
    return this.#origin.receivedBytes;
  }

  /** Pages that are not holes, ascending. */
  pages(): number[] {
    return placesWithData(this.offer.pages);
  }

  /** The id that a page of the source has here, if it was ever made. */
  knownPage(page: number): Uint8Array | undefined {
    return this.#known.find(this.#pageRef(page));
  }

  async fetchList(page: number): Promise<void> {
    const refs = await this.#origin.list(page, this.#pageRef(page));
    const chunkCount = Math.ceil(this.offer.sizeBytes / this.offer.chunkBytes);
    const places = placesWithData(refs);
    if (places.length === 0 || page * pageChunks + places.at(-1)! >= chunkCount)
      throw new RepositoryError("originDamaged", `the source told impossible pieces of page ${page}`);
    this.#lists.set(page, refs);
  }

  /** Chunks of a page whose list was fetched, with the ids that those have here which were ever copied. */
  chunksOf(page: number): { chunk: number; id: Uint8Array | undefined }[] {
    const refs = this.#lists.get(page)!;
    return placesWithData(refs).map((at) => ({ chunk: page * pageChunks + at, id: this.#known.find(refs.subarray(at * 32, at * 32 + 32)) }));
  }

  lengthOf(chunk: number): number {
    const { sizeBytes, chunkBytes } = this.offer;
    return Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
  }

  /** Plain bytes of chunks of one page, each at a multiple of the chunk size. */
  async fetch(chunks: Float64Array): Promise<Uint8Array> {
    const wanted = Array.from(chunks, (chunk) => ({ chunk, ref: this.#refOf(chunk), plainLength: this.lengthOf(chunk) }));
    const plain = await this.#origin.chunks(wanted);
    const bytes = new Uint8Array(chunks.length * this.offer.chunkBytes);
    for (const [at, each] of plain.entries()) bytes.set(each, at * this.offer.chunkBytes);
    return bytes;
  }

  /** The ids here of chunks that have been fetched. */
  learn(chunks: Float64Array, ids: Uint8Array): void {
    this.#known.learn(Array.from(chunks, (chunk, at) => ({ ref: this.#refOf(chunk), id: ids.subarray(at * 32, at * 32 + 32) })));
  }

  /** All chunks of a page are known, and so is its id. */
  learnPage(page: number, id: Uint8Array): void {
    this.#known.learn([{ ref: this.#pageRef(page), id }]);
    this.#lists.delete(page);
  }

  #pageRef(page: number): Uint8Array {
    return this.offer.pages.slice(page * 32, page * 32 + 32);
  }

  #refOf(chunk: number): Uint8Array {
    const at = (chunk % pageChunks) * 32;
    return this.#lists.get(Math.floor(chunk / pageChunks))!.slice(at, at + 32);
  }
}
