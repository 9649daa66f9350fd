import { compactVerify, errors, SignJWT } from "jose";
import type { IdentityTable } from "#catalog/tables.ts";
import { isProjectId } from "#model/ids.ts";
import type { Clock } from "#platform/clock.ts";
import type { Random } from "#platform/random.ts";
import { unauthenticated } from "../http/failure.ts";
import type { Principal, Scope } from "./principal.ts";

export interface TokenOptions {
  /** 32 bytes. */
  key: Uint8Array;
  identity: IdentityTable;
  /** Another number after every change of users and roles. */
  version: () => number;
  clock: Clock;
  random: Random;
  lifetimeSeconds: number;
  /** Verified tokens that are remembered. */
  maxRemembered?: number;
}

export interface IssuedToken {
  /** What the client sends back: printable ASCII without spaces, safe in a header. */
  text: string;
  principal: Principal & { token: NonNullable<Principal["token"]> };
}

export interface Tokens {
  /**
   * A token of its own for the principal. `expiresAt` bounds it: one made from another token does not outlive that one. `credentialId` is the
   * application credential that it rests on: its roles stay those, and it ends with it.
   */
  issue(principal: Omit<Principal, "token">, methods: readonly string[], expiresAt?: number, credentialId?: string): Promise<IssuedToken>;
  /** Who the token is for. At once when it was seen before. @throws HttpFailure 401 */
  verify(text: string): Principal | Promise<Principal>;
  /** From now on it is refused, after a restart too. */
  revoke(principal: Principal): Promise<void>;
}

const issuer = "opencbr";
const maxTextLength = 4096;
const us = 1_000_000;

/** A token that was seen, with who it stands for as the catalog was at `version`. */
interface Remembered {
  claimed: Principal;
  principal: Principal;
  version: number;
}

/**
 * Tokens are signed facts (JWT, HS256). What they say of roles is only what was once: who the user is and may do now is looked up, and remembered
 * until anything of that may have changed, so that a change counts at once. The revoked ones are few, are loaded once and kept in memory until they
 * would have expired. One process serves the identity API.
 */
export async function createTokens({
  key,
  identity,
  version,
  clock,
  random,
  lifetimeSeconds,
  maxRemembered = 10_000,
}: TokenOptions): Promise<Tokens> {
  const revoked = new Set(await identity.listRevokedTokens(clock.nowUs()));
  const remembered = new Map<string, Remembered>();

  function refuseOver({ token }: Principal): void {
    if (token!.expiresAt <= clock.nowUs()) throw unauthenticated("the token has expired");
    if (revoked.has(token!.id)) throw unauthenticated("the token was revoked");
  }

  /** Who the token stands for now. @throws HttpFailure 401 when that is nobody any more */
  async function asItStands(claimed: Principal): Promise<Principal> {
    const { scope, token } = claimed;
    const user = await identity.getUser(claimed.userId);
    if (user?.enabled !== true) throw unauthenticated("the user of the token is no longer there, or disabled");
    const credentialId = token?.credentialId;
    if (credentialId !== undefined && (await identity.getApplicationCredential(credentialId)) === undefined)
      throw unauthenticated("the application credential of the token is no longer there");
    if (scope.kind !== "project") return claimed;
    const project = await identity.getProject(scope.projectId);
    const held = project?.enabled === true ? await identity.listRoles(user.id, project.id) : [];
    const roles = credentialId === undefined ? held : held.filter((role) => claimed.roles.includes(role));
    if (roles.length === 0) throw unauthenticated("the user of the token has no role on its project any more");
    return { ...claimed, roles };
  }

  async function lookUp(text: string, claimed: Principal): Promise<Principal> {
    // Before the look-up: what is committed during it makes the next one look again.
    const seen = version();
    const principal = await asItStands(claimed);
    remember(text, { claimed, principal, version: seen });
    return principal;
  }

  function remember(text: string, entry: Remembered): void {
    remembered.delete(text);
    remembered.set(text, entry);
    if (remembered.size <= maxRemembered) return;
    const oldest = remembered.keys().next();
    if (oldest.done !== true) remembered.delete(oldest.value);
  }

  async function open(text: string): Promise<Principal> {
    let payload: Uint8Array;
    try {
      ({ payload } = await compactVerify(text, key, { algorithms: ["HS256"] }));
    } catch (error) {
      if (error instanceof errors.JOSEError) throw unauthenticated("the token cannot be decrypted");
      throw error;
    }
    // It carries our signature: the payload is what `issue` wrote.
    const principal = principalOf(JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>);
    if (principal === undefined) throw unauthenticated("the token cannot be decrypted");
    refuseOver(principal);
    return lookUp(text, principal);
  }

  return {
    async issue(principal, methods, expiresAt, credentialId) {
      const issued = Math.floor(clock.nowUs() / us);
      const expires = Math.min(issued + lifetimeSeconds, expiresAt === undefined ? Infinity : Math.floor(expiresAt / us));
      const id = random.uuid();
      const { scope } = principal;
      const text = await new SignJWT({
        name: principal.userName,
        dom: principal.domainId,
        ...(scope.kind === "project" ? { prj: scope.projectId } : scope.kind === "domain" ? { sdm: scope.domainId } : {}),
        rol: principal.roles,
        mth: methods,
        ...(credentialId === undefined ? {} : { apc: credentialId }),
      })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(issuer)
        .setSubject(principal.userId)
        .setJti(id)
        .setIssuedAt(issued)
        .setExpirationTime(expires)
        .sign(key);
      return {
        text,
        principal: {
          ...principal,
          token: { id, issuedAt: issued * us, expiresAt: expires * us, methods, ...(credentialId === undefined ? {} : { credentialId }) },
        },
      };
    },
    verify(text) {
      const known = remembered.get(text);
      if (known === undefined) {
        if (text.length > maxTextLength) throw unauthenticated("the token cannot be decrypted");
        return open(text);
      }
      remembered.delete(text);
      refuseOver(known.claimed);
      if (known.version !== version()) return lookUp(text, known.claimed);
      remembered.set(text, known);
      return known.principal;
    },
    async revoke({ token }) {
      if (token === undefined) return;
      await identity.revokeToken(token.id, token.expiresAt);
      revoked.add(token.id);
    },
  };
}

const isText = (value: unknown): value is string => typeof value === "string";

function principalOf(claims: Record<string, unknown>): Principal | undefined {
  const { iss, sub, name, dom, prj, sdm, rol, mth, apc, jti, iat, exp } = claims;
  if (iss !== issuer || !isText(sub) || !isText(name) || !isText(dom) || !isText(jti) || !Array.isArray(rol) || !Array.isArray(mth)) return undefined;
  if (typeof iat !== "number" || typeof exp !== "number") return undefined;
  let scope: Scope = { kind: "unscoped" };
  if (isText(prj)) {
    if (!isProjectId(prj)) return undefined;
    scope = { kind: "project", projectId: prj };
  } else if (isText(sdm)) scope = { kind: "domain", domainId: sdm };
  const token = { id: jti, issuedAt: iat * us, expiresAt: exp * us, methods: mth.filter(isText), ...(isText(apc) ? { credentialId: apc } : {}) };
  return { userId: sub, userName: name, domainId: dom, scope, roles: rol.filter(isText), token };
}
