import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "#model/errors.ts";
import { isProjectId, type ProjectId } from "#model/ids.ts";
import { loadMasterKey } from "#repository/master-key.ts";
import { OfflineRepository } from "#repository/offline.ts";
import type { ServiceSettings } from "../context.ts";

/** A store laid out for one project: `<importPath>/<project id>/<name>/` has `store/` and `master.key`, as a data folder. */
export interface ImportStore {
  name: string;
  storePath: string;
  keyPath: string;
}

type ImportSettings = Pick<ServiceSettings, "importPath">;
const storeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const storeIn = (folder: string, name: string): ImportStore => ({
  name,
  storePath: join(folder, name, "store"),
  keyPath: join(folder, name, "master.key"),
});

/** The import store of a project by its name. @throws DomainError `invalidRequest` when there is none */
export async function importStore({ importPath }: ImportSettings, projectId: ProjectId, name: string): Promise<ImportStore> {
  const unknown = (): DomainError =>
    new DomainError("invalidRequest", `bucket_name: this project has no import store ${JSON.stringify(name.slice(0, 64))}`, { field: "bucket_name" });
  if (importPath === undefined || !isProjectId(projectId) || !storeName.test(name)) throw unknown();
  const store = storeIn(join(importPath, projectId), name);
  await access(store.storePath).catch(() => {
    throw unknown();
  });
  return store;
}

/** Every import store of a project, by name. */
export async function importStores({ importPath }: ImportSettings, projectId: ProjectId): Promise<ImportStore[]> {
  if (importPath === undefined || !isProjectId(projectId)) return [];
  const folder = join(importPath, projectId);
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => storeName.test(name))
    .toSorted()
    .map((name) => storeIn(folder, name));
}

export const openImportStore = ({ storePath, keyPath }: ImportStore): Promise<OfflineRepository> =>
  OfflineRepository.open(storePath, loadMasterKey(keyPath));
