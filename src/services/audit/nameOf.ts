import type { Tables } from "#catalog/tables.ts";
import type { ProjectId } from "#model/ids.ts";

type Noun = { name: string | null } | undefined;

/** How the name of a thing is found, by what the audit log calls its kind. */
const finders: Readonly<Record<string, (tables: Tables, projectId: ProjectId, id: string) => Promise<Noun>>> = {
  vault: (tables, projectId, id) => tables.vaults.get(projectId, id),
  backup: (tables, projectId, id) => tables.backups.get(projectId, id),
  policy: (tables, projectId, id) => tables.policies.get(projectId, id),
  checkpoint: (tables, projectId, id) => tables.checkpoints.get(projectId, id),
  volume: (tables, projectId, id) => tables.resources.get(projectId, id),
  resource: (tables, projectId, id) => tables.resources.get(projectId, id),
  snapshot: (tables, projectId, id) => tables.snapshots.get(projectId, id),
};

/** The name that a thing has before a call changes or deletes it; null where it has none, or is not the project's. */
export async function nameOf(tables: Tables, projectId: ProjectId, type: string | null, id: string | null): Promise<string | null> {
  if (type === null || id === null || !Object.hasOwn(finders, type)) return null;
  return (await finders[type]?.(tables, projectId, id))?.name ?? null;
}
