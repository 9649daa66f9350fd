import { type Command, Option } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function vaultBind(parent: Command): void {
  clientCommand(parent, "bind <id> <resource...>", "bind resources to a vault")
    .addOption(new Option("--type <type>", "what they are").choices(["disk", "server"]).default("disk"))
    .action((id: string, ids: string[], options: { type: "disk" | "server" }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const type = options.type === "disk" ? "OS::Cinder::Volume" : "OS::Nova::Server";
        const answer = await client.cbr<{ add_resource_ids: string[] }>("POST", `vaults/${encodeURIComponent(id)}/addresources`, {
          resources: ids.map((resourceId) => ({ id: resourceId, type })),
        });
        output.answer(answer, () => `bound ${answer.add_resource_ids.join(", ")}`);
      }),
    );
}
