import type { User } from "#catalog/tables.ts";
import type { Context } from "#services/context.ts";
import { createFailureLimiter } from "../auth/failure-limiter.ts";
import { hashPassword, verifyPassword } from "../auth/password.ts";
import { HttpFailure } from "../http/failure.ts";

/** Wrong passwords in a row, for one user from one address, until it must wait. */
const failures = 10;
const lockSeconds = 60;
/** Hashes computed at a time, and logins that may wait for one: each takes 32 MiB and a thread. */
const atATime = 2;
const maxWaiting = 64;

export interface Logins {
  /**
   * Whether the password is the user's. Takes as long for a user that does not exist; `name` is how the request called the user.
   * @throws HttpFailure 429 after too many failures, or when too many are waiting
   */
  check(user: User | undefined, name: string, address: string, password: string): Promise<boolean>;
}

const tooMany = (seconds: number): HttpFailure =>
  new HttpFailure(429, `Too many logins; try again in ${seconds} s`, { headers: { "retry-after": String(seconds) } });

export function createLogins({ clock, random }: Pick<Context, "clock" | "random">): Logins {
  const limiter = createFailureLimiter(clock, { failures, lockSeconds, maxNames: 10_000 });
  let nobodysHash: Promise<string> | undefined;
  let running = 0;
  const waiting: (() => void)[] = [];

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atATime) {
      if (waiting.length >= maxWaiting) throw tooMany(1);
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }

  return {
    async check(user, name, address, password) {
      const key = `${user?.id ?? `name ${name.slice(0, 64)}`} ${address}`;
      const seconds = limiter.lockedForSeconds(key);
      if (seconds > 0) throw tooMany(seconds);
      const matches = await inTurn(async () => {
        if (user !== undefined) return verifyPassword(password, user.passwordHash);
        nobodysHash ??= hashPassword(random.uuid(), random);
        return (await verifyPassword(password, await nobodysHash)) && false;
      });
      const ok = matches && user?.enabled === true;
      if (ok) limiter.succeed(key);
      else limiter.fail(key);
      return ok;
    },
  };
}
