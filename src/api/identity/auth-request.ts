import { Type, type Static } from "@sinclair/typebox";
import type { ApplicationCredential, Domain, Project, User } from "#catalog/tables.ts";
import type { Role } from "#model/caller.ts";
import { DomainError } from "#model/errors.ts";
import type { ProjectId } from "#model/ids.ts";
import type { Scope } from "../auth/principal.ts";
import { HttpFailure } from "../http/failure.ts";
import { maybe } from "./fields.ts";
import type { Identity } from "./identity.ts";

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
      application_credential: maybe(
        Type.Object({
          id: maybe(text),
          name: maybe(text),
          secret: Type.String({ maxLength: 4096 }),
          user: maybe(Type.Object({ id: maybe(text), name: maybe(text), domain: maybe(domainSchema) })),
        }),
      ),
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
  /** Of the token or credential that was the proof: what is made from it does not outlive it. */
  expiresAt: number | undefined;
  /** The only scope that an application credential is good for, and the roles that it was given there. */
  bound?: { projectId: ProjectId; roles: readonly Role[]; credentialId: string | undefined };
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

async function byApplicationCredential(
  identity: Identity,
  given: AuthBody["identity"]["application_credential"],
  address: string,
): Promise<ProvenUser> {
  if (!given) throw required("auth.identity.application_credential");
  const tables = identity.context.catalog.identity;
  let found: ApplicationCredential | undefined;
  if (given.id) found = await tables.getApplicationCredential(given.id);
  else {
    if (!given.name || !given.user) throw required("auth.identity.application_credential.id");
    const { id, name, domain } = given.user;
    let user = id ? await tables.getUser(id) : undefined;
    if (!id && name) {
      const named = await findDomain(identity, domain, "auth.identity.application_credential.user.domain");
      user = named && (await tables.findUser(named.id, name));
    }
    found = user && (await tables.findApplicationCredential(user.id, given.name));
  }
  const user = found && (await tables.getUser(found.userId));
  // Guesses are counted and hashed as those of passwords are, each credential by itself.
  const account = found && user && { ...user, id: found.id, passwordHash: found.secretHash };
  const matches = await identity.logins.check(account, given.id ?? given.name ?? "", address, given.secret);
  const isOver = found !== undefined && found.expiresAt !== null && found.expiresAt <= identity.context.clock.nowUs();
  if (!matches || found === undefined || user === undefined || isOver) throw wrongCredentials();
  const held = await tables.listRoles(user.id, found.projectId);
  const { projectId, roles } = found;
  return {
    user,
    methods: ["application_credential"],
    expiresAt: found.expiresAt ?? undefined,
    bound: { projectId, roles: roles.filter((role) => held.includes(role)), credentialId: found.id },
  };
}

/** Who the body of a login proves to be. @throws HttpFailure 401, 429; DomainError invalidRequest */
export async function proveUser(identity: Identity, auth: AuthBody, address: string): Promise<ProvenUser> {
  const { methods, password, token, application_credential: credential } = auth.identity;
  const [method, ...others] = new Set(methods);
  if (others.length > 0)
    throw new DomainError("invalidRequest", "auth.identity.methods: one method at a time is supported", { field: "auth.identity.methods" });
  if (method === "password") return { user: await byPassword(identity, password, address), methods: ["password"], expiresAt: undefined };
  if (method === "application_credential") return byApplicationCredential(identity, credential, address);
  if (method !== "token") {
    const known = "password, token and application_credential are";
    throw new HttpFailure(401, `auth.identity.methods: ${JSON.stringify(method?.slice(0, 40))} is not supported; ${known}`);
  }
  if (!token) throw required("auth.identity.token");
  const principal = await identity.tokens.verify(token.id);
  const user = await identity.context.catalog.identity.getUser(principal.userId);
  if (user?.enabled !== true) throw wrongCredentials();
  const before = principal.token?.methods ?? [];
  const { scope, roles } = principal;
  const isBound = before.includes("application_credential") && scope.kind === "project";
  return {
    user,
    methods: [...new Set([...before, "token"])],
    expiresAt: principal.token?.expiresAt,
    ...(isBound ? { bound: { projectId: scope.projectId, roles, credentialId: principal.token?.credentialId } } : {}),
  };
}

/** What the token is good for, with the roles there. A scope without a role is refused as a wrong password is. */
export async function resolveScope(
  identity: Identity,
  auth: AuthBody,
  { user, bound }: Pick<ProvenUser, "user" | "bound">,
): Promise<{ scope: Scope; roles: readonly Role[] }> {
  const { scope } = auth;
  if (bound !== undefined) return boundScope(identity, scope, bound);
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

/** An application credential is for its own project; naming that one again is harmless. */
async function boundScope(
  { context }: Identity,
  scope: AuthBody["scope"],
  { projectId, roles }: NonNullable<ProvenUser["bound"]>,
): Promise<{ scope: Scope; roles: readonly Role[] }> {
  if (scope && (scope === "unscoped" || scope.domain || (scope.project && scope.project.id !== projectId)))
    throw new HttpFailure(401, "auth.scope: an application credential is for its own project alone");
  const project = await context.catalog.identity.getProject(projectId);
  if (project?.enabled !== true || roles.length === 0) throw wrongCredentials();
  return { scope: { kind: "project", projectId }, roles };
}
