import { invariant } from "#platform/invariant.ts";

/** A chunk that some backup has promised to store, and that the index does not know yet. */
export class Claim {
  readonly owner: object;
  packId: Uint8Array | undefined;
  #whenSealed: ((packId: Uint8Array) => void)[] = [];
  #whenSettled: ((packId: Uint8Array | undefined) => void)[] = [];

  constructor(owner: object) {
    this.owner = owner;
  }

  /** For the owner itself: called when the chunk lies in a pack that is being filled. */
  onSealed(listener: (packId: Uint8Array) => void): void {
    this.#whenSealed.push(listener);
  }

  /** For others: called with the pack once it is stored, or with nothing when the owner gave up. */
  onSettled(listener: (packId: Uint8Array | undefined) => void): void {
    this.#whenSettled.push(listener);
  }

  sealed(packId: Uint8Array): void {
    invariant(this.packId === undefined, "a claimed chunk is sealed once");
    this.packId = packId;
    for (const listener of this.#whenSealed) listener(packId);
    this.#whenSealed = [];
  }

  settle(packId: Uint8Array | undefined): void {
    for (const listener of this.#whenSettled) listener(packId);
    this.#whenSettled = [];
  }
}

/** What is being stored right now, so that two backups never store one chunk twice. Lives as long as the engine. */
export class Claims {
  readonly #claims = new Map<string, Claim>();

  find(tenant: string, id: Uint8Array): Claim | undefined {
    return this.#claims.get(keyOf(tenant, id));
  }

  make(tenant: string, id: Uint8Array, owner: object): Claim {
    const key = keyOf(tenant, id);
    invariant(!this.#claims.has(key), "a chunk is claimed once");
    const claim = new Claim(owner);
    this.#claims.set(key, claim);
    return claim;
  }

  /** These chunks are stored and in the index. */
  settle(tenant: string, entries: readonly { id: Uint8Array }[], packId: Uint8Array): void {
    for (const { id } of entries) {
      const key = keyOf(tenant, id);
      const claim = this.#claims.get(key);
      this.#claims.delete(key);
      claim?.settle(packId);
    }
  }

  /** Gives up what is left of this owner's claims. */
  release(owner: object): void {
    const left = [...this.#claims].filter(([, claim]) => claim.owner === owner);
    for (const [key] of left) this.#claims.delete(key);
    for (const [, claim] of left) claim.settle(undefined);
  }
}

function keyOf(tenant: string, id: Uint8Array): string {
  return `${Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1")}${tenant}`;
}
