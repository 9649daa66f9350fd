import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatObject } from "../support/output.ts";
import type { WirePolicy } from "../support/wire.ts";

export function policyShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a policy, its vaults and when it runs next").action((id: string, _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const { policy } = await client.cbr<{ policy: WirePolicy }>("GET", `policies/${encodeURIComponent(id)}`);
      output.answer({ policy }, () => formatObject(policy));
    }),
  );
}
