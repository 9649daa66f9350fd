import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { formatObject } from "../support/output.ts";
import type { WirePolicy } from "../support/wire.ts";
import { definitionBody, policyRules, triggerBody } from "./rules.ts";
import type { PolicyRules } from "./rules.ts";

interface Options extends PolicyRules {
  name?: string;
  enable?: boolean;
  disable?: boolean;
}

export function policyUpdate(parent: Command): void {
  policyRules(clientCommand(parent, "update <id>", "change a policy; new times take the place of those that were"))
    .option("--name <name>", "another name")
    .option("--enable", "run it again")
    .option("--disable", "do not run it, and let nothing of its vaults expire")
    .action((id: string, options: Options, command: Command) =>
      withTools(command, async ({ client, output }) => {
        if (options.enable === true && options.disable === true) throw new CommandError("--enable and --disable exclude each other", { exitCode: 2 });
        const path = `policies/${encodeURIComponent(id)}`;
        const before = (await client.cbr<{ policy: WirePolicy }>("GET", path)).policy;
        const trigger = triggerBody(options, before.trigger);
        const definition = definitionBody(options, before.operation_definition);
        const body = {
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(options.enable === true || options.disable === true ? { enabled: options.enable === true } : {}),
          ...(trigger === undefined ? {} : { trigger }),
          ...(definition === undefined ? {} : { operation_definition: definition }),
        };
        if (Object.keys(body).length === 0) throw new CommandError("nothing to change was given", { exitCode: 2 });
        const { policy } = await client.cbr<{ policy: WirePolicy }>("PUT", path, { policy: body });
        output.answer({ policy }, () => formatObject(policy));
      }),
    );
}
