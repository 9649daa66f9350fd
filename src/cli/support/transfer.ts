import { openFileSource, openFileTarget } from "#sources/file.ts";
import type { Extent } from "#sources/source.ts";
import type { Bar } from "./bars.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";
import { until } from "./tasks.ts";
import type { WireVolume } from "./wire.ts";

export const gib = 1024 ** 3;
const pieceBytes = 4 * 1024 * 1024;
const inFlight = 3;

/** Pieces of at most 4 MiB that cover the extents. */
export function* piecesOf(extents: Iterable<Extent>): Generator<Extent> {
  for (const { offset, length } of extents)
    for (let at = 0; at < length; at += pieceBytes) yield { offset: offset + at, length: Math.min(pieceBytes, length - at) };
}

/** Runs `work` on every item, a few at once; the first failure ends it. */
export async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/** Sends a raw file's data into an existing idle volume. Holes are not sent: the volume must read as zeros there. */
export async function uploadFile(client: Client, path: string, volumeId: string, volumeBytes: number, bar: Bar): Promise<{ sentBytes: number }> {
  const source = openFileSource(path);
  try {
    const extents = [...source.allocatedExtents()];
    const totalBytes = extents.reduce((sum, extent) => sum + extent.length, 0);
    let sentBytes = 0;
    await eachOf(piecesOf(extents), async ({ offset, length }) => {
      const bytes = new Uint8Array(length);
      source.read(offset, bytes);
      if (!isZero(bytes)) await client.writePiece(volumeId, offset, bytes, volumeBytes);
      sentBytes += length;
      bar.update(sentBytes, totalBytes);
    });
    bar.finish();
    return { sentBytes };
  } finally {
    source.close();
  }
}

const isZero = (bytes: Uint8Array): boolean => Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0;
const zeros = new Uint8Array(pieceBytes);

/** Makes a volume large enough for a raw file and fills it; a volume that could not be filled is removed again. */
export async function importVolume(
  client: Client,
  file: { path: string; sizeBytes: number },
  name: string,
  bar: Bar,
): Promise<{ volume: WireVolume; sentBytes: number }> {
  if (file.sizeBytes === 0) throw new CommandError(`${file.path} is empty`);
  const sizeGib = Math.ceil(file.sizeBytes / gib);
  const volume = await createVolume(client, name, sizeGib);
  try {
    const { sentBytes } = await uploadFile(client, file.path, volume.id, sizeGib * gib, bar);
    return { volume: await showVolume(client, volume.id), sentBytes };
  } catch (error) {
    await client.volume("DELETE", `volumes/${volume.id}`).catch(() => undefined);
    throw error;
  }
}

/** Makes an empty volume and waits until it is there. */
export async function createVolume(client: Client, name: string, sizeGib: number, more: Record<string, unknown> = {}): Promise<WireVolume> {
  const { volume } = await client.volume<{ volume: { id: string } }>("POST", "volumes", { volume: { name, size: sizeGib, ...more } });
  return until(`volume ${name}`, 120, async () => {
    const shown = await showVolume(client, volume.id);
    if (shown.status.startsWith("error")) throw new CommandError(`volume ${name} (${shown.id}) is in status ${shown.status}`);
    return shown.status === "available" ? shown : undefined;
  });
}

export const showVolume = async (client: Client, id: string): Promise<WireVolume> =>
  (await client.volume<{ volume: WireVolume }>("GET", `volumes/${encodeURIComponent(id)}`)).volume;

/** Writes a volume into a new sparse raw file; ranges that are holes in the volume are holes in the file. */
export async function exportVolume(client: Client, volumeId: string, path: string, bar: Bar): Promise<{ sizeBytes: number; writtenBytes: number }> {
  const { size_bytes: sizeBytes, extents } = await client.own<{ size_bytes: number; extents: Extent[] }>(
    "GET",
    `volumes/${encodeURIComponent(volumeId)}/extents`,
  );
  const totalBytes = extents.reduce((sum, extent) => sum + extent.length, 0);
  const target = openFileTarget(path, sizeBytes);
  let writtenBytes = 0;
  try {
    await eachOf(piecesOf(extents), async ({ offset, length }) => {
      const bytes = await client.readPiece(`volumes/${volumeId}/data`, offset, length);
      if (!isZero(bytes)) target.write(offset, bytes);
      writtenBytes += length;
      bar.update(writtenBytes, totalBytes);
    });
    await target.finish();
  } finally {
    target.close();
  }
  bar.finish();
  return { sizeBytes, writtenBytes };
}
