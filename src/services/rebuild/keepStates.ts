import { RepositoryError } from "#repository/engine-types.ts";
import type { Context } from "../context.ts";
import { projectState } from "./projectState.ts";
import type { ProjectState } from "./projectState.ts";

/** Remembers what is in the store, so that nothing is written twice. */
export interface StateKeeper {
  /** Seals the state of every project that is not in the store as it is now. One that cannot be written is logged and tried again next time. */
  keep(): Promise<void>;
}

/** A project that has only a name needs no key and no state. */
const isWorthKeeping = (state: ProjectState): boolean =>
  [state.vaults, state.policies, state.resources, state.snapshots, state.failed, state.webhooks ?? []].some((list) => list.length > 0);

export function createStateKeeper({ catalog, engine, clock, log }: Pick<Context, "catalog" | "engine" | "clock" | "log">): StateKeeper {
  const kept = new Map<string, string>();
  let seen = -1;

  const keepProject = async (projectId: string): Promise<void> => {
    const state = await catalog.transaction((tables) => projectState(tables, projectId));
    if (state === undefined || (!kept.has(projectId) && !isWorthKeeping(state))) return;
    const text = JSON.stringify(state);
    if (!kept.has(projectId)) kept.set(projectId, JSON.stringify((await engine.readState(projectId))?.document ?? null));
    if (kept.get(projectId) === text) return;
    await engine.writeState(projectId, clock.nowUs(), state);
    kept.set(projectId, text);
  };

  return {
    async keep() {
      const changes = catalog.changes();
      if (changes === seen) return;
      let isComplete = true;
      for (const { id } of await catalog.identity.listProjects({})) {
        // The database answers at once: without this nothing else would have its turn before the last project.
        await new Promise((resolve) => setImmediate(resolve));
        try {
          await keepProject(id);
        } catch (error) {
          if (error instanceof RepositoryError && error.code === "keyDestroyed") continue;
          isComplete = false;
          log.warn({ err: error, projectId: id }, "the state of a project could not be written to the store");
        }
      }
      if (isComplete) seen = changes;
    },
  };
}
