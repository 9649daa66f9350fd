import { isReadAction, type Role } from "./caller.ts";

/** What a role may do: patterns of permission names, `service:noun:verb` with `*` for anything within a part. A denial of any role wins. */
export interface RoleRules {
  allow: readonly string[];
  deny: readonly string[];
}

/** The roles that there are, and what they allow. */
export interface RoleBook {
  names: readonly Role[];
  /** Whether somebody with these roles may do what needs the permission. */
  isAllowed: (held: readonly Role[], action: string) => boolean;
  /** The patterns of the installation's own roles that cover none of these permissions: mistyped, most likely. */
  idlePatterns: (actions: readonly string[]) => string[];
}

/** The roles that need no file: a reader may look, a member may do all but what is named `admin`, an admin anything. */
const builtIn: Readonly<Record<Role, (action: string) => boolean>> = {
  admin: () => true,
  member: (action) => !action.includes(":admin:"),
  reader: (action) => !action.includes(":admin:") && isReadAction(action),
};

const part = "[A-Za-z*]+";
const patternForm = new RegExp(`^${part}:${part}:${part}$`);
const nameForm = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const matcher = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll("*", "[A-Za-z]*")}$`);

/** The built-in roles with those of an installation; `reader` and `member` may be other ones there. */
export function createRoleBook(own: Readonly<Record<Role, RoleRules>> = {}): RoleBook {
  const compiled = new Map(
    Object.entries(own).map(([name, { allow, deny }]) => [name, { allow: allow.map(matcher), deny: deny.map(matcher) }] as const),
  );
  const known = new Map<string, boolean>();
  const decide = (held: readonly Role[], action: string): boolean => {
    if (held.includes("admin")) return true;
    if (held.some((role) => compiled.get(role)?.deny.some((form) => form.test(action)))) return false;
    return held.some((role) => {
      const rules = compiled.get(role);
      if (rules !== undefined) return rules.allow.some((form) => form.test(action));
      return Object.hasOwn(builtIn, role) && builtIn[role]!(action);
    });
  };
  return {
    names: [...new Set([...Object.keys(builtIn), ...compiled.keys()])],
    isAllowed(held, action) {
      const key = `${action} ${held.join(" ")}`;
      let allowed = known.get(key);
      if (allowed === undefined) {
        // Roles and actions are few; the bound is against what should not be.
        if (known.size >= 10_000) known.clear();
        known.set(key, (allowed = decide(held, action)));
      }
      return allowed;
    },
    idlePatterns(actions) {
      const patterns = new Set(Object.values(own).flatMap(({ allow, deny }) => [...allow, ...deny]));
      return [...patterns].filter((pattern) => !actions.some((action) => matcher(pattern).test(action)));
    },
  };
}

export const defaultRoleBook = createRoleBook();

/** A role file that cannot be used; the message says where and why. */
export class RoleFileError extends Error {
  override readonly name = "RoleFileError";
}

function patternsOf(value: unknown, place: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new RoleFileError(`${place} must be a list of permission patterns`);
  return value.map((pattern, index) => {
    if (typeof pattern === "string" && patternForm.test(pattern)) return pattern;
    throw new RoleFileError(`${place}[${index}] must be such as "cbr:backups:get" or "cbr:*:list*", not ${JSON.stringify(pattern)}`);
  });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The roles of a role file's content, `{"roles": {"operator": {"allow": ["cbr:*:*"], "deny": ["cbr:*:delete*"]}}}`. @throws RoleFileError */
export function parseRoles(content: unknown): Record<Role, RoleRules> {
  if (!isObject(content) || !isObject(content["roles"])) throw new RoleFileError('it must be an object with "roles"');
  const [other] = Object.keys(content).filter((key) => key !== "roles");
  if (other !== undefined) throw new RoleFileError(`${JSON.stringify(other)} is not known; "roles" is`);
  const entries = Object.entries(content["roles"]).map(([name, rules]): [Role, RoleRules] => {
    if (!nameForm.test(name)) throw new RoleFileError(`${JSON.stringify(name)} is no name of a role: letters, digits, _ and -, at most 64`);
    if (name === "admin") throw new RoleFileError("roles.admin cannot be another one: somebody has to be able to put things right");
    if (!isObject(rules)) throw new RoleFileError(`roles.${name} must be an object with "allow"`);
    const [unknown] = Object.keys(rules).filter((key) => key !== "allow" && key !== "deny");
    if (unknown !== undefined) throw new RoleFileError(`roles.${name}.${unknown} is not known; allow and deny are`);
    if (!Array.isArray(rules["allow"])) throw new RoleFileError(`roles.${name}.allow must be a list of permission patterns`);
    return [name, { allow: patternsOf(rules["allow"], `roles.${name}.allow`), deny: patternsOf(rules["deny"], `roles.${name}.deny`) }];
  });
  return Object.fromEntries(entries);
}
