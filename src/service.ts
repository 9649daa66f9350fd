import { CommandError } from "#cli/support/errors.ts";
import type { FirstAccounts } from "#api/identity/bootstrap.ts";
import { type App, startApp } from "./app.ts";
import type { Settings } from "./config.ts";
import { describeStartFailure } from "./start-failure.ts";

/** A terminal and npm may both pass on one Ctrl-C: signals that come this soon after the first are the first. */
const sameSignalMs = 1000;

/**
 * Runs the service until SIGINT or SIGTERM, then drains. Prints to standard output: on the first start what is told only once, then
 * `ready BASE-URL`. A second signal ends the process at once.
 */
export async function runService(settings: Settings, version: string): Promise<void> {
  const stopping = Promise.withResolvers<void>();
  let signalledAtMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (signalledAtMs === undefined) {
      signalledAtMs = nowMs;
      stopping.resolve();
    } else if (nowMs - signalledAtMs > sameSignalMs) {
      process.stderr.write("opencbr: stopped at once; what was running is put right at the next start\n");
      process.exit(1);
    }
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  let app: App;
  try {
    app = await startApp(settings, { version });
  } catch (error) {
    throw new CommandError(describeStartFailure(error, settings), { cause: error });
  }
  if (app.firstStart !== undefined) process.stdout.write(firstStartText(app.firstStart, app.baseUrl, settings.region));
  process.stdout.write(`${endpointsText(app.baseUrl)}ready ${app.baseUrl}\n`);
  await stopping.promise;
  await app.stop();
}

function endpointsText(baseUrl: string): string {
  return [
    `  identity          ${baseUrl}/v3`,
    `  CBR v3            ${baseUrl}/v3/PROJECT`,
    `  Block Storage v3  ${baseUrl}/volume/v3/PROJECT`,
    `  VBS v2            ${baseUrl}/volume/v2/PROJECT`,
    "",
  ].join("\n");
}

/** Shown at the first start and never again: passwords and secret keys are kept only as what checks them. */
function firstStartText(first: FirstAccounts, baseUrl: string, region: string): string {
  const user = first.users.find((candidate) => candidate.name === "demo") ?? first.users[0];
  return [
    "This is the first start. Note these down: they are not shown again.",
    "",
    `  project      ${first.project.name}  ${first.project.id}`,
    ...first.users.map(({ name, password }) => `  user         ${name}  ${password}`),
    `  access key   ${first.accessKey.id}`,
    `  secret key   ${first.accessKey.secret}`,
    "",
    "Also keep a copy of master.key, from the data folder, in another place: without it nobody can read the backups.",
    "",
    "To try it, in another terminal:",
    "",
    `  export OS_AUTH_URL=${baseUrl}/v3 OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=${region}`,
    `  export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_PROJECT_NAME=${first.project.name}`,
    `  export OS_USERNAME=${user?.name ?? ""} OS_PASSWORD='${user?.password ?? ""}'`,
    "  npx opencbr demo",
    "  npx opencbr volume import disk.qcow2 --name disk",
    `  curl -s -H "X-Auth-Token: $(npx opencbr token)" ${baseUrl}/v3/${first.project.id}/backups`,
    "",
    "",
  ].join("\n");
}
