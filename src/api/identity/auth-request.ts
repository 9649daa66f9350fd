import { Type, type Static, type TSchema } from "@sinclair/typebox";
import type { Domain, Project, User } from "#catalog/tables.ts";
import type { Role } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { Scope } from "../auth/principal.ts";
import { HttpFailure } from "../http/failure.ts";
import type { Identity } from "./identity.ts";

const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const text = Type.String({ minLength: 1, maxLength: 255 });
const domainSchema = Type.Object({ id: maybe(text), name: maybe(text) });

/** Body of `POST /v3/auth/tokens`. */
export const authSchema = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 8 }),
      password: maybe(
        Type.Object({
          user: Type.Object({ id: maybe(text), name: maybe(text), domain: maybe(domainSchema), password: Type.String({ maxLength: 4096 }) }),
        }),
      ),
      token: maybe(Type.Object({ id: Type.String({ minLength: 1, maxLength: 8192 }) })),
    }),
    scope: maybe(
      Type.Union([
        Type.Object({
          project: maybe(Type.Object({ id: maybe(text), name: maybe(text), domain: maybe(domainSchema) })),
          domain: maybe(domainSchema),
        }),
        Type.Literal("unscoped"),
      ]),
    ),
  }),
});
type AuthBody = Static<typeof authSchema>["auth"];

/** A user who proved who it is. */
export interface ProvenUser {
  user: User;
  methods: string[];
  /** Of the token that was the proof: what is made from it does not outlive it. */
  expiresAt: number | undefined;
}

export const wrongCredentials = (): HttpFailure => new HttpFailure(401, "The request you have made requires authentication.");

const required = (field: string): DomainError => new DomainError("invalidRequest", `${field}: is required`, { field });

async function findDomain({ context }: Identity, domain: Static<typeof domainSchema> | null | undefined, field: string): Promise<Domain | undefined> {
  const { identity } = context.catalog;
  if (domain?.id) return identity.getDomain(domain.id);
  if (domain?.name) return identity.findDomain(domain.name);
  throw required(field);
}

async function byPassword(identity: Identity, password: AuthBody["identity"]["password"], address: string): Promise<User> {
  if (!password) throw required("auth.identity.password");
  const { id, name, domain, password: secret } = password.user;
  let user: User | undefined;
  if (id) user = await identity.context.catalog.identity.getUser(id);
  else {
    if (!name) throw required("auth.identity.password.user.name");
    const found = await findDomain(identity, domain, "auth.identity.password.user.domain");
    user = found && (await identity.context.catalog.identity.findUser(found.id, name));
  }
  const matches = await identity.logins.check(user, id ?? name ?? "", address, secret);
  if (!matches || user === undefined) throw wrongCredentials();
  return user;
}

/** Who the body of a login proves to be. @throws HttpFailure 401, 429; DomainError invalidRequest */
export async function proveUser(identity: Identity, auth: AuthBody, address: string): Promise<ProvenUser> {
  const { methods, password, token } = auth.identity;
  const [method, ...others] = new Set(methods);
  if (others.length > 0)
    throw new DomainError("invalidRequest", "auth.identity.methods: one method at a time is supported", { field: "auth.identity.methods" });
  if (method === "password") return { user: await byPassword(identity, password, address), methods: ["password"], expiresAt: undefined };
  if (method !== "token") {
    throw new HttpFailure(401, `auth.identity.methods: ${JSON.stringify(method?.slice(0, 40))} is not supported; password and token are`);
  }
  if (!token) throw required("auth.identity.token");
  const principal = await identity.tokens.verify(token.id);
  const user = await identity.context.catalog.identity.getUser(principal.userId);
  if (user?.enabled !== true) throw wrongCredentials();
  const before = principal.token?.methods ?? [];
  return { user, methods: [...new Set([...before, "token"])], expiresAt: principal.token?.expiresAt };
}

/** What the token is good for, with the roles there. A scope without a role is refused as a wrong password is. */
export async function resolveScope(identity: Identity, auth: AuthBody, user: User): Promise<{ scope: Scope; roles: readonly Role[] }> {
  const { scope } = auth;
  if (!scope || scope === "unscoped" || (!scope.project && !scope.domain)) return { scope: { kind: "unscoped" }, roles: [] };
  if (scope.project && scope.domain) throw new DomainError("invalidRequest", "auth.scope: is either a project or a domain", { field: "auth.scope" });
  const tables = identity.context.catalog.identity;
  if (scope.project) {
    const { id, name, domain } = scope.project;
    let project: Project | undefined;
    if (id) project = await tables.getProject(id);
    else {
      if (!name) throw required("auth.scope.project.id");
      const found = await findDomain(identity, domain, "auth.scope.project.domain");
      [project] = found === undefined ? [] : await tables.listProjects({ name, domainId: found.id });
    }
    const roles = project?.enabled === true ? await tables.listRoles(user.id, project.id) : [];
    if (project === undefined || roles.length === 0) throw wrongCredentials();
    return { scope: { kind: "project", projectId: project.id }, roles };
  }
  const domain = await findDomain(identity, scope.domain, "auth.scope.domain");
  if (domain === undefined || domain.id !== user.domainId) throw wrongCredentials();
  return { scope: { kind: "domain", domainId: domain.id }, roles: ["reader"] };
}
