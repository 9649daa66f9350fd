import { defaultCost, hashPassword, type ScryptCost } from "../auth/password.ts";
import { deriveIdentityKeys, sealSecret } from "../auth/secrets.ts";
import { hexId, randomText } from "./fields.ts";
import type { Context } from "#services/context.ts";
import type { Random } from "#platform/random.ts";

/** What the first start made: to be shown once. Nowhere else are the secrets in clear. */
export interface FirstAccounts {
  domain: { id: string; name: string };
  project: { id: string; name: string };
  /** admin (role admin on the project) and demo (member). */
  users: { name: string; password: string }[];
  /** Of the user demo. */
  accessKey: { id: string; secret: string };
}

/** The documented accounts of `--dev`: everybody knows them. */
const devAccounts = {
  projectId: "0de0de0de0de0de0de0de0de0de0de00",
  adminPassword: "opencbr-admin",
  demoPassword: "opencbr-demo",
  accessKey: { id: "DEVACCESSKEY00000001", secret: "devsecretkey000000000000000000000000000001" },
};

function newAccounts(random: Random): typeof devAccounts {
  return {
    projectId: hexId(random),
    adminPassword: randomText(random, 24),
    demoPassword: randomText(random, 24),
    accessKey: { id: randomText(random, 20).toUpperCase(), secret: randomText(random, 40) },
  };
}

/**
 * First start: domain Default, project demo, users admin (admin on demo) and demo (member), and an access key of demo; with `dev` the
 * documented ones. In a catalog that was rebuilt from a store there are projects and no users: the new ones get their roles on all of those,
 * and no project is made. Undefined on every later start: nothing is changed then.
 */
export async function bootstrapIdentity(
  { catalog, random }: Pick<Context, "catalog" | "random">,
  options: { dev: boolean; masterKey: Uint8Array; passwordCost?: ScryptCost },
): Promise<FirstAccounts | undefined> {
  const domain = { id: "default", name: "Default" };
  if ((await catalog.identity.findUser(domain.id, "admin")) !== undefined) return undefined;
  const made = options.dev ? devAccounts : newAccounts(random);
  const { adminPassword, demoPassword, accessKey } = made;
  const found = await catalog.identity.listProjects({});
  const own = found.find(({ id }) => id === made.projectId) ?? found.find(({ name }) => name === "demo") ?? found[0];
  const project = own ?? { id: made.projectId, domainId: domain.id, name: "demo", description: "Made at the first start", enabled: true };
  const projectId = project.id;
  const [adminHash = "", demoHash = ""] = await Promise.all(
    [adminPassword, demoPassword].map((password) => hashPassword(password, random, options.passwordCost ?? defaultCost)),
  );
  const sealedSecret = sealSecret(deriveIdentityKeys(options.masterKey).secret, accessKey.id, accessKey.secret, random);
  const [adminId, demoId] = [hexId(random), hexId(random)];
  await catalog.transaction(async ({ identity }) => {
    if ((await identity.getDomain(domain.id)) === undefined) await identity.insertDomain(domain);
    if (own === undefined) await identity.insertProject(project);
    const common = { domainId: domain.id, enabled: true, defaultProjectId: projectId };
    await identity.insertUser({ id: adminId, name: "admin", passwordHash: adminHash, ...common });
    await identity.insertUser({ id: demoId, name: "demo", passwordHash: demoHash, ...common });
    for (const { id } of own === undefined ? [project] : found) {
      await identity.grantRole(adminId, id, "admin");
      await identity.grantRole(demoId, id, "member");
    }
    await identity.insertAccessKey({
      id: accessKey.id,
      userId: demoId,
      projectId,
      sealedSecret,
      enabled: true,
      expiresAt: null,
      securityTokenHash: null,
    });
  });
  return {
    domain,
    project: { id: projectId, name: project.name },
    users: [
      { name: "admin", password: adminPassword },
      { name: "demo", password: demoPassword },
    ],
    accessKey,
  };
}
