import { compactVerify, errors, SignJWT } from "jose";
import type { IdentityTable } from "#catalog/tables.ts";
import { roles } from "#model/caller.ts";
import { isProjectId } from "#model/ids.ts";
import type { Clock } from "#platform/clock.ts";
import type { Random } from "#platform/random.ts";
import { unauthenticated } from "../http/failure.ts";
import type { Principal, Scope } from "./principal.ts";

export interface TokenOptions {
  /** 32 bytes. */
  key: Uint8Array;
  identity: IdentityTable;
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
  /** A token of its own for the principal. `expiresAt` bounds it: one made from another token does not outlive that one. */
  issue(principal: Omit<Principal, "token">, methods: readonly string[], expiresAt?: number): Promise<IssuedToken>;
  /** Who the token is for. At once when it was seen before. @throws HttpFailure 401 */
  verify(text: string): Principal | Promise<Principal>;
  /** From now on it is refused, after a restart too. */
  revoke(principal: Principal): Promise<void>;
}

const issuer = "opencbr";
const maxTextLength = 4096;
const us = 1_000_000;

/**
 * Tokens are signed facts (JWT, HS256): verifying one needs no look-up. The revoked ones are few, are loaded once and kept in memory until they would
 * have expired. One process serves the identity API.
 */
export async function createTokens({ key, identity, clock, random, lifetimeSeconds, maxRemembered = 10_000 }: TokenOptions): Promise<Tokens> {
  const revoked = new Set(await identity.listRevokedTokens(clock.nowUs()));
  const remembered = new Map<string, Principal>();

  function remember(text: string, principal: Principal): void {
    remembered.set(text, principal);
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
    if (principal.token!.expiresAt <= clock.nowUs()) throw unauthenticated("the token has expired");
    if (revoked.has(principal.token!.id)) throw unauthenticated("the token was revoked");
    remember(text, principal);
    return principal;
  }

  return {
    async issue(principal, methods, expiresAt) {
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
      })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer(issuer)
        .setSubject(principal.userId)
        .setJti(id)
        .setIssuedAt(issued)
        .setExpirationTime(expires)
        .sign(key);
      return { text, principal: { ...principal, token: { id, issuedAt: issued * us, expiresAt: expires * us, methods } } };
    },
    verify(text) {
      const principal = remembered.get(text);
      if (principal === undefined) {
        if (text.length > maxTextLength) throw unauthenticated("the token cannot be decrypted");
        return open(text);
      }
      remembered.delete(text);
      if (principal.token!.expiresAt <= clock.nowUs()) throw unauthenticated("the token has expired");
      if (revoked.has(principal.token!.id)) throw unauthenticated("the token was revoked");
      remembered.set(text, principal);
      return principal;
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
  const { iss, sub, name, dom, prj, sdm, rol, mth, jti, iat, exp } = claims;
  if (iss !== issuer || !isText(sub) || !isText(name) || !isText(dom) || !isText(jti) || !Array.isArray(rol) || !Array.isArray(mth)) return undefined;
  if (typeof iat !== "number" || typeof exp !== "number") return undefined;
  let scope: Scope = { kind: "unscoped" };
  if (isText(prj)) {
    if (!isProjectId(prj)) return undefined;
    scope = { kind: "project", projectId: prj };
  } else if (isText(sdm)) scope = { kind: "domain", domainId: sdm };
  const token = { id: jti, issuedAt: iat * us, expiresAt: exp * us, methods: mth.filter(isText) };
  return { userId: sub, userName: name, domainId: dom, scope, roles: roles.filter((role) => rol.includes(role)), token };
}
