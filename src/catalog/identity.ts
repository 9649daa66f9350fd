import { sql } from "kysely";
import type { Clock } from "#platform/clock.ts";
import type { Role } from "#model/caller.ts";
import { createCodec } from "./codec.ts";
import { allOf, equals } from "./paging.ts";
import type { Condition } from "./paging.ts";
import type { Db } from "./schema.ts";
import type { AccessKey, ApplicationCredential, Domain, IdentityTable, Project, User } from "./tables.ts";

const domains = createCodec<Domain>({ id: "plain", name: "plain" });
const projects = createCodec<Project>({ id: "plain", domainId: "plain", name: "plain", description: "plain", enabled: "flag" });
const users = createCodec<User>({
  id: "plain",
  domainId: "plain",
  name: "plain",
  passwordHash: "plain",
  enabled: "flag",
  defaultProjectId: "plain",
});
const accessKeys = createCodec<AccessKey>({
  id: "plain",
  userId: "plain",
  projectId: "plain",
  sealedSecret: "plain",
  enabled: "flag",
  expiresAt: "plain",
  securityTokenHash: "plain",
});

const applicationCredentials = createCodec<ApplicationCredential>({
  id: "plain",
  userId: "plain",
  projectId: "plain",
  name: "plain",
  description: "plain",
  roles: "json",
  secretHash: "plain",
  expiresAt: "plain",
  createdAt: "plain",
});

/** A signed request looks up its key, user, project and roles: constant texts, prepared once. */
const texts = {
  domain: "select * from domains where id = ?",
  project: "select * from projects where id = ?",
  user: "select * from users where id = ?",
  accessKey: "select * from access_keys where id = ?",
  roles: "select role from roles where user_id = ? and project_id = ? order by role",
};

export function createIdentityTable(db: Db, clock: Clock): IdentityTable {
  const one = async <T>(text: string, id: string, decode: (row: object) => T): Promise<T | undefined> => {
    const [row] = await db.hot(text, [id]);
    return row === undefined ? undefined : decode(row);
  };
  return {
    async insertDomain(domain) {
      await db.write.insertInto("domains").values(domains.toRow(domain)).execute();
    },
    getDomain: (id) => one(texts.domain, id, domains.fromRow),
    async findDomain(name) {
      const row = await db.read.selectFrom("domains").selectAll().where("name", "=", name).executeTakeFirst();
      return row && domains.fromRow(row);
    },
    async insertProject(project) {
      await db.write.insertInto("projects").values(projects.toRow(project)).execute();
    },
    getProject: (id) => one(texts.project, id, projects.fromRow),
    async listProjects({ name, domainId, userId }) {
      const ofUser: Condition[] =
        userId === undefined ? [] : [sql`exists (select 1 from roles where roles.project_id = projects.id and roles.user_id = ${userId})`];
      const rows = await db.read
        .selectFrom("projects")
        .selectAll()
        .where(allOf([...equals("name", name), ...equals("domain_id", domainId), ...ofUser]))
        .orderBy("name")
        .orderBy("id")
        .execute();
      return rows.map(projects.fromRow);
    },
    async updateProject(id, patch) {
      await db.write.updateTable("projects").set(projects.toPatch(patch)).where("id", "=", id).execute();
    },
    async removeProject(id) {
      await db.atomically(async ({ write }) => {
        await write.updateTable("users").set({ default_project_id: null }).where("default_project_id", "=", id).execute();
        for (const table of ["roles", "access_keys", "application_credentials"] as const)
          await write.deleteFrom(table).where("project_id", "=", id).execute();
        // What others have shared with it.
        await write.deleteFrom("members").where("dest_project_id", "=", id).execute();
        await write.deleteFrom("projects").where("id", "=", id).execute();
      });
    },
    async insertUser(user) {
      await db.write.insertInto("users").values(users.toRow(user)).execute();
    },
    getUser: (id) => one(texts.user, id, users.fromRow),
    async findUser(domainId, name) {
      const row = await db.read.selectFrom("users").selectAll().where("domain_id", "=", domainId).where("name", "=", name).executeTakeFirst();
      return row && users.fromRow(row);
    },
    async listUsers({ name, domainId, enabled }) {
      const rows = await db.read
        .selectFrom("users")
        .selectAll()
        .where(
          allOf([
            ...equals("name", name),
            ...equals("domain_id", domainId),
            ...equals("enabled", enabled === undefined ? undefined : Number(enabled)),
          ]),
        )
        .orderBy("name")
        .orderBy("id")
        .execute();
      return rows.map(users.fromRow);
    },
    async updateUser(id, patch) {
      await db.write.updateTable("users").set(users.toPatch(patch)).where("id", "=", id).execute();
    },
    async removeUser(id) {
      await db.atomically(async ({ write }) => {
        for (const table of ["roles", "access_keys", "application_credentials"] as const)
          await write.deleteFrom(table).where("user_id", "=", id).execute();
        await write.deleteFrom("users").where("id", "=", id).execute();
      });
    },
    async setPasswordHash(userId, hash) {
      await db.write.updateTable("users").set({ password_hash: hash }).where("id", "=", userId).execute();
    },
    async grantRole(userId, projectId, role) {
      await db.write
        .insertInto("roles")
        .values({ user_id: userId, project_id: projectId, role })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    async revokeRole(userId, projectId, role) {
      const { numDeletedRows } = await db.write
        .deleteFrom("roles")
        .where("user_id", "=", userId)
        .where("project_id", "=", projectId)
        .where("role", "=", role)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
    async listAssignments({ userId, projectId, role }) {
      const rows = await db.read
        .selectFrom("roles")
        .selectAll()
        .where(allOf([...equals("user_id", userId), ...equals("project_id", projectId), ...equals("role", role)]))
        .orderBy("project_id")
        .orderBy("user_id")
        .orderBy("role")
        .execute();
      return rows.map((row) => ({ userId: row.user_id, projectId: row.project_id, role: row.role }));
    },
    async listRoles(userId, projectId) {
      const rows = await db.hot(texts.roles, [userId, projectId]);
      return rows.map((row) => row.role as Role);
    },
    async insertAccessKey(key) {
      await db.write.insertInto("access_keys").values(accessKeys.toRow(key)).execute();
    },
    getAccessKey: (id) => one(texts.accessKey, id, accessKeys.fromRow),
    async listAccessKeys({ userId } = {}) {
      const rows = await db.read
        .selectFrom("access_keys")
        .selectAll()
        .where(allOf(equals("user_id", userId)))
        .orderBy("id")
        .execute();
      return rows.map(accessKeys.fromRow);
    },
    async setAccessKeyEnabled(id, enabled) {
      await db.write
        .updateTable("access_keys")
        .set({ enabled: Number(enabled) })
        .where("id", "=", id)
        .execute();
    },
    async removeAccessKey(id) {
      await db.write.deleteFrom("access_keys").where("id", "=", id).execute();
    },
    async insertApplicationCredential(credential) {
      await db.write.insertInto("application_credentials").values(applicationCredentials.toRow(credential)).execute();
    },
    async getApplicationCredential(id) {
      const row = await db.read.selectFrom("application_credentials").selectAll().where("id", "=", id).executeTakeFirst();
      return row && applicationCredentials.fromRow(row);
    },
    async findApplicationCredential(userId, name) {
      const row = await db.read
        .selectFrom("application_credentials")
        .selectAll()
        .where("user_id", "=", userId)
        .where("name", "=", name)
        .executeTakeFirst();
      return row && applicationCredentials.fromRow(row);
    },
    async listApplicationCredentials(userId) {
      const rows = await db.read.selectFrom("application_credentials").selectAll().where("user_id", "=", userId).orderBy("name").execute();
      return rows.map(applicationCredentials.fromRow);
    },
    async removeApplicationCredential(id) {
      await db.write.deleteFrom("application_credentials").where("id", "=", id).execute();
    },
    async setSealedSecret(id, sealedSecret) {
      await db.write.updateTable("access_keys").set({ sealed_secret: sealedSecret }).where("id", "=", id).execute();
    },
    async removeExpiredAccessKeys(now) {
      await db.write.deleteFrom("access_keys").where("expires_at", "<", now).execute();
    },
    async revokeToken(tokenId, expiresAt) {
      await db.atomically(async ({ write }) => {
        await write.deleteFrom("revoked_tokens").where("expires_at", "<=", clock.nowUs()).execute();
        await write
          .insertInto("revoked_tokens")
          .values({ token_id: tokenId, expires_at: expiresAt })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      });
    },
    async listRevokedTokens(now) {
      const rows = await db.read.selectFrom("revoked_tokens").select("token_id").where("expires_at", ">", now).orderBy("token_id").execute();
      return rows.map((row) => row.token_id);
    },
  };
}
