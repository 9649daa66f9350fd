import type { Principal } from "../auth/principal.ts";
import { HttpFailure } from "../http/failure.ts";
import type { Request } from "../http/route.ts";

export const principalIn = (request: Request<unknown>): Principal => {
  if (request.principal === undefined) throw new HttpFailure(401, "The request you have made requires authentication.");
  return request.principal;
};

export const isAdmin = (principal: Principal): boolean => principal.roles.includes("admin");

export const missing = (noun: string, id: string): HttpFailure => new HttpFailure(404, `Could not find ${noun}: ${id.slice(0, 64)}.`);

/** @throws HttpFailure 403 */
export function refuseUnlessAdmin(request: Request<unknown>): void {
  if (!isAdmin(principalIn(request))) throw new HttpFailure(403, "You are not authorized to perform the requested action: it needs the role admin.");
}

/** The user of the path: the asker, or anybody for an administrator. @throws HttpFailure 403 */
export function selfOrAdmin(request: Request<unknown>): string {
  const id = request.params["user_id"] ?? "";
  const principal = principalIn(request);
  if (id !== principal.userId && !isAdmin(principal)) throw new HttpFailure(403, "user_id: is somebody else");
  return id;
}
