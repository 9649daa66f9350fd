import { Type } from "@sinclair/typebox";
import { DomainError } from "#model/errors.ts";
import { hashSecurityToken } from "../auth/authenticate.ts";
import { sealSecret } from "../auth/secrets.ts";
import { HttpFailure } from "../http/failure.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { principalIn } from "./asker.ts";
import { maybe } from "./fields.ts";
import type { Identity } from "./identity.ts";
import { zulu } from "./render-token.ts";

const minSeconds = 900;
const maxSeconds = 86_400;

/** Body of a request for a temporary key. The token may stand in the body too; the one in the header counts when it does not. */
const bodySchema = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 8 }),
      token: maybe(
        Type.Object({
          id: maybe(Type.String({ minLength: 1, maxLength: 8192 })),
          duration_seconds: maybe(Type.Union([Type.Integer(), Type.String({ pattern: "^[0-9]{1,6}$" })])),
        }),
      ),
    }),
  }),
});

/** Temporary access keys: for the project of a token, usable only with their security token, and gone with their time. */
export function temporaryKeyRoutes(identity: Identity): Route[] {
  const { context, keys, tokens } = identity;
  return [
    defineRoute({
      method: "POST",
      path: "/v3.0/OS-CREDENTIAL/securitytokens",
      operation: "CreateTemporaryAccessKey",
      action: "identity:securitytokens:create",
      access: "token",
      successStatus: 201,
      schema: { body: bodySchema },
      async handler(request) {
        const { methods, token } = request.body.auth.identity;
        if (!methods.includes("token"))
          throw new DomainError("invalidRequest", "auth.identity.methods: only token is supported", { field: "auth.identity.methods" });
        const seconds = Number(token?.duration_seconds ?? minSeconds);
        if (seconds < minSeconds || seconds > maxSeconds) {
          const field = "auth.identity.token.duration_seconds";
          throw new DomainError("invalidRequest", `${field}: must be from ${minSeconds} to ${maxSeconds}`, { field });
        }
        const asker = principalIn(request);
        const principal = token?.id ? await tokens.verify(token.id) : asker;
        if (principal.userId !== asker.userId) throw new HttpFailure(403, "auth.identity.token.id: is somebody else's");
        if (principal.token === undefined) throw new HttpFailure(403, "A temporary access key is made with a token");
        if (principal.scope.kind !== "project") throw new HttpFailure(403, "The token is not for a project");
        const { clock, random, catalog } = context;
        const expiresAt = clock.nowUs() + seconds * 1_000_000;
        const hex = (bytes: number): string => Buffer.from(random.bytes(bytes)).toString("hex");
        const id = `TMP${hex(9).toUpperCase()}`;
        const secret = hex(20);
        const securityToken = Buffer.from(random.bytes(48)).toString("base64url");
        // Kept for a day after their end, so that a late request is told that its key has expired.
        await catalog.identity.removeExpiredAccessKeys(clock.nowUs() - maxSeconds * 1_000_000);
        await catalog.identity.insertAccessKey({
          id,
          userId: principal.userId,
          projectId: principal.scope.projectId,
          sealedSecret: sealSecret(keys.secret, id, secret, random),
          enabled: true,
          expiresAt,
          securityTokenHash: hashSecurityToken(securityToken),
        });
        return { body: { credential: { access: id, secret, securitytoken: securityToken, expires_at: zulu(expiresAt) } } };
      },
    }),
  ];
}
