import { createHash, timingSafeEqual } from "node:crypto";
import type { AccessKey } from "#catalog/tables.ts";
import { isProjectId } from "#model/ids.ts";
import type { Context } from "#services/context.ts";
import { unauthenticated } from "../http/failure.ts";
import type { Authenticate, Credentials } from "../http/runtime.ts";
import { createFailureLimiter } from "./failure-limiter.ts";
import type { Principal, Scope } from "./principal.ts";
import { openSecret } from "./secrets.ts";
import { algorithm, parseAuthorization, signatureProblem } from "./signing.ts";
import type { Tokens } from "./tokens.ts";

export interface AuthenticateOptions {
  context: Context;
  tokens: Tokens;
  /** Opens the secrets of access keys. */
  secretKey: Uint8Array;
}

export const hashSecurityToken = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();

/** Who is asking: by `X-Auth-Token`, else by a signature with an access key. */
export function createAuthenticate({ context, tokens, secretKey }: AuthenticateOptions): Authenticate {
  const { clock } = context;
  const { identity } = context.catalog;
  // The gateway locks an access key for five minutes after five failures in a row. Here it is locked only for the address that they came from:
  // an id is no secret, and whoever knows one must not be able to lock its owner out. Only keys that exist are counted.
  const limiter = createFailureLimiter(clock, { failures: 5, lockSeconds: 300, maxNames: 10_000 });

  function securityTokenProblem(key: AccessKey, credentials: Credentials): string | undefined {
    if (key.securityTokenHash === null) return undefined;
    const given = credentials.headers["x-security-token"];
    if (typeof given !== "string" || given === "") return "the temporary access key needs its X-Security-Token";
    return timingSafeEqual(hashSecurityToken(given), key.securityTokenHash) ? undefined : "X-Security-Token is not that of the access key";
  }

  async function bySignature(header: string, credentials: Credentials): Promise<Principal> {
    const authorization = parseAuthorization(header);
    if (authorization === undefined) throw unauthenticated(`Authorization is not of the form ${algorithm} Access=…, SignedHeaders=…, Signature=…`);
    const key = await identity.getAccessKey(authorization.accessKey);
    if (key === undefined || !key.enabled) throw unauthenticated("the access key was not found");
    if (key.expiresAt !== null && key.expiresAt <= clock.nowUs()) throw unauthenticated("the temporary access key has expired");
    const counted = `${key.id} ${credentials.address}`;
    if (limiter.lockedForSeconds(counted) > 0)
      throw unauthenticated("the access key is locked for this address after too many failures; try again in five minutes");
    const { method, url, headers, raw } = credentials;
    const headerOf = (name: string): string | undefined => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    };
    const request = { method, url, header: headerOf, signedHeaders: authorization.signedHeaders, body: raw };
    const secret = openSecret(secretKey, key.id, key.sealedSecret);
    const problem = signatureProblem(request, authorization, secret, clock.nowUs()) ?? securityTokenProblem(key, credentials);
    if (problem !== undefined) {
      limiter.fail(counted);
      throw unauthenticated(problem);
    }
    limiter.succeed(counted);
    return principalOf(key, credentials);
  }

  /**
   * The project is the one of `X-Project-Id`, else that of the path, else the key's own. A temporary key is for its own project alone.
   * With `X-Domain-Id` and no project the request is about the account.
   */
  async function principalOf(key: AccessKey, { headers, projectId: inPath }: Credentials): Promise<Principal> {
    const user = await identity.getUser(key.userId);
    if (user === undefined || !user.enabled) throw unauthenticated("the user of the access key is disabled");
    const named = headers["x-project-id"];
    const accessKey = { id: key.id, isTemporary: key.securityTokenHash !== null };
    const base = { userId: user.id, userName: user.name, domainId: user.domainId, token: undefined, accessKey };
    if (named === undefined && inPath === undefined && headers["x-domain-id"] !== undefined && key.securityTokenHash === null) {
      if (headers["x-domain-id"] !== user.domainId) throw unauthenticated("X-Domain-Id is not the domain of the access key");
      return { ...base, scope: { kind: "domain", domainId: user.domainId }, roles: ["reader"] };
    }
    const wanted = named ?? inPath ?? key.projectId;
    const scope: Scope = { kind: "project", projectId: key.projectId };
    if (key.securityTokenHash !== null && wanted !== key.projectId) return { ...base, scope, roles: [] };
    if (typeof wanted !== "string" || !isProjectId(wanted)) return { ...base, scope: { kind: "unscoped" }, roles: [] };
    const project = await identity.getProject(wanted);
    const roles = project?.enabled === true ? await identity.listRoles(user.id, wanted) : [];
    return roles.length === 0 ? { ...base, scope: { kind: "unscoped" }, roles } : { ...base, scope: { kind: "project", projectId: wanted }, roles };
  }

  return (credentials) => {
    const { headers } = credentials;
    const text = headers["x-auth-token"];
    if (typeof text === "string" && text !== "") return tokens.verify(text);
    if (headers.authorization !== undefined) return bySignature(headers.authorization, credentials);
    throw unauthenticated("neither X-Auth-Token nor a signature was given");
  };
}
