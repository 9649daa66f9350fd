import { Blake3Hasher } from "@napi-rs/blake-hash";

/**
 * Keyed BLAKE3 over and over with one key (32 bytes), one hash at a time. One hasher that is reset costs 5 to 9 µs less per hash than a
 * new one, measured at 4 to 256 KiB; the binding has no one-shot keyed hash.
 */
export class ChunkHasher {
  readonly #hasher: Blake3Hasher;

  constructor(key: Uint8Array) {
    this.#hasher = Blake3Hasher.newKeyed(Buffer.from(key));
  }

  /** 32 bytes. */
  idOf(plain: Uint8Array): Uint8Array {
    this.#hasher.reset();
    this.#hasher.update(plain);
    return this.#hasher.digestBuffer();
  }
}
