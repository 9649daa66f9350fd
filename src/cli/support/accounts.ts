import { randomInt } from "node:crypto";
import type { Client } from "./client.ts";
import { CommandError } from "./errors.ts";

export interface WireProject {
  id: string;
  name: string;
  description: string;
  enabled: boolean;
}
export interface WireUser {
  id: string;
  name: string;
  enabled: boolean;
  default_project_id?: string;
}

export const listProjects = async (client: Client): Promise<WireProject[]> =>
  (await client.identity<{ projects: WireProject[] }>("GET", "v3/projects")).projects;
export const listUsers = async (client: Client): Promise<WireUser[]> => (await client.identity<{ users: WireUser[] }>("GET", "v3/users")).users;

/** The one that has this id or, failing that, this name. @throws CommandError when there is none, or several */
function pick<T extends { id: string; name: string }>(all: readonly T[], noun: string, given: string): T {
  const byId = all.find(({ id }) => id === given);
  const byName = all.filter(({ name }) => name === given);
  if (byId !== undefined) return byId;
  if (byName.length === 1) return byName[0]!;
  throw new CommandError(byName.length === 0 ? `there is no ${noun} "${given}"` : `several ${noun}s are named "${given}": give the id`);
}

export const findProject = async (client: Client, given: string): Promise<WireProject> => pick(await listProjects(client), "project", given);
export const findUser = async (client: Client, given: string): Promise<WireUser> => pick(await listUsers(client), "user", given);

const letters = "abcdefghijkmnpqrstuvwxyz23456789";
/** 24 letters and digits, 120 bits. */
export const makePassword = (): string => Array.from({ length: 24 }, () => letters.charAt(randomInt(letters.length))).join("");
