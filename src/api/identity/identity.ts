import { createAuthenticate } from "../auth/authenticate.ts";
import { deriveIdentityKeys, type IdentityKeys } from "../auth/secrets.ts";
import { createTokens, type Tokens } from "../auth/tokens.ts";
import type { Context } from "#services/context.ts";
import type { Authenticate } from "../http/runtime.ts";
import { createLogins, type Logins } from "./logins.ts";

/** The identity service's parts: made once per listener. */
export interface Identity {
  context: Context;
  keys: IdentityKeys;
  tokens: Tokens;
  logins: Logins;
  authenticate: Authenticate;
}

export interface IdentityOptions {
  context: Context;
  /** 32 bytes; the keys of tokens and of access key secrets are derived from it. */
  masterKey: Uint8Array;
  tokenLifetimeSeconds: number;
}

/** Loads the revoked tokens. @throws RangeError when the master key has not 32 bytes */
export async function createIdentity({ context, masterKey, tokenLifetimeSeconds }: IdentityOptions): Promise<Identity> {
  const { clock, random } = context;
  const keys = deriveIdentityKeys(masterKey);
  const { catalog } = context;
  const tokens = await createTokens({
    key: keys.token,
    identity: catalog.identity,
    version: () => catalog.identityVersion(),
    clock,
    random,
    lifetimeSeconds: tokenLifetimeSeconds,
  });
  const authenticate = createAuthenticate({ context, tokens, secretKey: keys.secret });
  return { context, keys, tokens, authenticate, logins: createLogins(context) };
}
