import { writeFileSync } from "node:fs";
import { chunkIdOf, deriveTenantKeys, masterKeyCheck, packKey, rootKey, wrapTenantKey } from "#repository/keys.ts";
import { hexOf } from "#repository/layout.ts";
import { PackWriter } from "#repository/pack.ts";
import { encodePage, pageIdOf } from "#repository/page.ts";
import { merkleRootOf, sealRoot } from "#repository/root.ts";

/** Bytes that anyone can make again: byte i = (seed + 7 i) mod 251. */
export const pattern = (seed: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (seed + 7 * index) % 251);

const fixedRandom = (seed: number) => ({ bytes: (length: number) => pattern(seed, length), uuid: () => "00112233-4455-4677-8899-aabbccddeeff" });

/** Golden bytes of format v1. Run `node test/vectors/make-vectors.ts` only when the format gets a new version. */
export function makeVectors(): Record<string, unknown> {
  const masterKey = pattern(1, 32);
  const repositoryId = "00112233-4455-4677-8899-aabbccddeeff";
  const tenant = "0de0de0de0de0de0de0de0de0de0de00";
  const dataKey = pattern(2, 32);
  const keys = deriveTenantKeys(dataKey);
  const packId = pattern(3, 16);
  const plains = [pattern(4, 300), new TextEncoder().encode("not compressible: 63 bytes or less"), new Uint8Array(2000).fill(9)];
  const pack = new PackWriter({ tenant, packId, keys, kind: "data", compressionLevel: 0 });
  const ids = plains.map((plain) => chunkIdOf(keys, plain));
  for (const [index, plain] of plains.entries()) pack.add(ids[index] as Uint8Array, plain);
  const finished = pack.finish();
  const packedId = pattern(7, 16);
  const packed = new PackWriter({ tenant, packId: packedId, keys, kind: "data", compressionLevel: 1 });
  packed.add(ids[2] as Uint8Array, plains[2] as Uint8Array);
  const page = new Uint8Array(1024 * 32);
  page.set(ids[0] as Uint8Array, 0);
  page.set(ids[1] as Uint8Array, 5 * 32);
  page.set(ids[2] as Uint8Array, 6 * 32);
  const encodedPage = encodePage(page);
  const pageId = pageIdOf(keys, encodedPage);
  const pageIds = new Uint8Array(3 * 32);
  pageIds.set(pageId, 32);
  const zero = { sizeBytes: 0, readBytes: 0, dataBytes: 0, newBytes: 0, storedBytes: 0, unchangedBytes: 0, deduplicatedBytes: 0 };
  const root = {
    tenant,
    backupId: "11111111-2222-4333-8444-555555555555",
    baseId: null,
    sizeBytes: 3 * 1024 * 65536 - 1,
    chunkBytes: 65536,
    pageIds,
    statistics: { ...zero, newChunks: 3, objectCount: 1, compressed: false, durationMs: 5 },
    document: { id: "11111111-2222-4333-8444-555555555555", name: "väctor" },
  };
  return {
    format: "opencbr-repository v1; bytes as hex; pattern(seed, length)[i] = (seed + 7 i) mod 251",
    keys: {
      masterKey: hexOf(masterKey),
      repositoryId,
      masterKeyCheck: masterKeyCheck(masterKey, repositoryId),
      tenant,
      dataKey: hexOf(dataKey),
      wrappedDataKey: hexOf(wrapTenantKey(masterKey, tenant, dataKey, fixedRandom(5))),
      chunkIdKey: hexOf(keys.chunkId),
      pageIdKey: hexOf(keys.pageId),
      packsKey: hexOf(keys.pack),
      rootsKey: hexOf(keys.root),
      packKey: hexOf(packKey(keys, packId)),
      rootKey: hexOf(rootKey(keys, pattern(6, 16))),
    },
    chunks: plains.map((plain, index) => ({ plain: hexOf(plain), id: hexOf(ids[index] as Uint8Array) })),
    pack: { packId: hexOf(packId), kind: "data", key: finished.key, bytes: hexOf(finished.bytes) },
    compressedPack: { packId: hexOf(packedId), chunk: 2, bytes: hexOf(packed.finish().bytes) },
    page: {
      places: { "0": hexOf(ids[0] as Uint8Array), "5": hexOf(ids[1] as Uint8Array), "6": hexOf(ids[2] as Uint8Array) },
      encoded: hexOf(encodedPage),
      id: hexOf(pageId),
    },
    merkleRoot: hexOf(merkleRootOf(keys, root.sizeBytes, root.chunkBytes, pageIds)),
    root: { ...root, pageIds: hexOf(pageIds), salt: hexOf(pattern(6, 16)), object: hexOf(sealRoot(keys, root, fixedRandom(6))) },
  };
}

export const vectorsFile = new URL("./repository-v1.json", import.meta.url);

if (import.meta.main) writeFileSync(vectorsFile, `${JSON.stringify(makeVectors(), undefined, 2)}\n`);
