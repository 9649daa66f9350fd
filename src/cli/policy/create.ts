import { type Command, Option } from "commander";
import { clientCommand, several, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import type { WirePolicy } from "../support/wire.ts";
import { definitionBody, policyRules, triggerBody } from "./rules.ts";
import type { PolicyRules } from "./rules.ts";

interface Options extends PolicyRules {
  type: "backup" | "replication";
  toRegion?: string;
  toProject?: string;
  toVault?: string;
  disabled?: boolean;
  vault?: string[];
}

export function policyCreate(parent: Command): void {
  policyRules(clientCommand(parent, "create <name>", "make a policy, and apply it to vaults"))
    .addOption(new Option("--type <type>", "what it does").choices(["backup", "replication"]).default("backup"))
    .option("--to-region <region>", "of a replication policy: the region of the copies (default: this one)")
    .option("--to-project <id>", "the project of the copies (default: the own one)")
    .option("--to-vault <id>", "the vault of the copies, for --vault")
    .option("--vault <id>", "apply it to this vault; may be given several times", several)
    .option("--disabled", "do not run it yet")
    .action((name: string, options: Options, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const trigger = triggerBody(options);
        if (trigger === undefined || trigger.properties.pattern.length === 0)
          throw new CommandError("when does it run? Give --at or --rule", { exitCode: 2 });
        const destination = {
          ...(options.toRegion === undefined ? {} : { destination_region: options.toRegion }),
          ...(options.toProject === undefined ? {} : { destination_project_id: options.toProject }),
        };
        const operation_definition = { ...destination, ...definitionBody(options) };
        const body = { name, operation_type: options.type, enabled: options.disabled !== true, operation_definition, trigger };
        const { policy } = await client.cbr<{ policy: WirePolicy }>("POST", "policies", { policy: body });
        for (const vault of options.vault ?? []) {
          await client.cbr("POST", `vaults/${encodeURIComponent(vault)}/associatepolicy`, {
            policy_id: policy.id,
            ...(options.toVault === undefined ? {} : { destination_vault_id: options.toVault }),
          });
        }
        output.answer({ policy }, () => `policy ${policy.id}`);
      }),
    );
}
