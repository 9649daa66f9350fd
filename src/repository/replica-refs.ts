import type { DatabaseSync, StatementSync } from "node:sqlite";
import { indexTransaction } from "./index-transaction.ts";
import { keyedHash, replicaRefsKey } from "./keys.ts";
import type { TenantKeys } from "./keys.ts";

/** What a reference of the source's is here. */
export interface KnownRefs {
  find(ref: Uint8Array): Uint8Array | undefined;
  /** 32 bytes each. */
  learn(pairs: readonly { ref: Uint8Array; id: Uint8Array }[]): void;
}

/** For a copy within one tenant, where a reference is the id. */
export const sameIds: KnownRefs = { find: (ref) => ref, learn() {} };

const schema = `
  CREATE TABLE IF NOT EXISTS replica_refs (ref BLOB NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, id BLOB NOT NULL, tag BLOB NOT NULL)
    STRICT, WITHOUT ROWID;
`;

/**
 * Reference of a piece at the source → id of the same piece here, for copies that arrive; in the chunk index's file, and like all of it of no
 * worth but speed: what is not here is fetched again. A row is believed only with its tag, for an id that were wrong would put wrong bytes into
 * a copy. Rows are keyed by tenant and source, so that no source can speak for another one.
 */
export class ReplicaRefs {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(schema);
    this.#find = database.prepare("SELECT id, tag FROM replica_refs WHERE ref = ?");
    this.#insert = database.prepare("INSERT OR REPLACE INTO replica_refs (ref, tenant, id, tag) VALUES (?, ?, ?, ?)");
  }

  /** What `tenant` knows of the pieces of one source. */
  of(tenant: string, keys: TenantKeys, source: string): KnownRefs {
    const key = replicaRefsKey(keys, source);
    const tagOf = (row: Uint8Array, id: Uint8Array): Buffer => Buffer.from(keyedHash(key, Buffer.concat([row, id])).subarray(0, 16));
    return {
      find: (ref) => {
        const row = keyedHash(key, ref);
        const found = this.#find.get(row);
        const id = found?.["id"] as Uint8Array | undefined;
        return id !== undefined && tagOf(row, id).equals(found!["tag"] as Uint8Array) ? id : undefined;
      },
      learn: (pairs) => {
        indexTransaction(this.#database, () => {
          for (const { ref, id } of pairs) {
            const row = keyedHash(key, ref);
            this.#insert.run(row, tenant, id, tagOf(row, id));
          }
        });
      },
    };
  }

  /** Forgets the ids of a tenant that start with this byte and have no place any more. */
  sweep(tenant: string, tenantNo: number, firstByte: number): void {
    const from = Buffer.alloc(32);
    from[0] = firstByte;
    const to = Buffer.alloc(33, 0xff);
    to[0] = firstByte;
    this.#database
      .prepare(
        `DELETE FROM replica_refs WHERE ref >= ? AND ref <= ? AND tenant = ?
         AND NOT EXISTS (SELECT 1 FROM records r WHERE r.tenant = ? AND r.id = replica_refs.id)`,
      )
      .run(from, to, tenant, tenantNo);
  }
}
