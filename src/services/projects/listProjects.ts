import type { Project } from "#catalog/tables.ts";
import type { Caller } from "#model/caller.ts";
import type { Context } from "../context.ts";
import { visibleProjects } from "./visible-projects.ts";

/** The projects of this region that the caller may know of. */
export const listProjects = (context: Context, caller: Caller): Promise<Project[]> => visibleProjects(context, caller);
