import { DomainError } from "#model/errors.ts";
import type { Context } from "../context.ts";
import { createCollection } from "./createCollection.ts";

const lastKey = "collectionsQueuedAtUs";

/** Once in every interval that is set: a collection of every project that has something in the store that can be read. Tells how many were queued. */
export async function queueDueCollections(context: Context): Promise<number> {
  const { catalog, clock, engine, settings, log } = context;
  const intervalUs = settings.collectIntervalUs ?? 0;
  if (intervalUs === 0) return 0;
  const now = clock.nowUs();
  const last = await catalog.meta.get(lastKey);
  // A last time in the future comes from a clock that has been put back.
  if (last !== undefined && Number(last) <= now && now - Number(last) < intervalUs) return 0;
  await catalog.meta.set(lastKey, String(now));
  // Nothing is urgent in a service that has just been set up.
  if (last === undefined) return 0;
  let queued = 0;
  for (const projectId of await engine.listTenants()) {
    if ((await engine.storedBytes(projectId)) === 0 || (await engine.isShredded(projectId))) continue;
    try {
      await createCollection(context, { projectId, requestId: null }, { force: false });
      queued++;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      log.debug({ projectId, reason: error.message }, "a scheduled collection was not queued");
    }
  }
  return queued;
}
