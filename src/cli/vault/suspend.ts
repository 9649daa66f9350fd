import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

function register(parent: Command, name: "suspend" | "resume", doc: string): void {
  clientCommand(parent, `${name} <id> <resource...>`, doc).action((id: string, ids: string[], _options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const answer = await client.cbr<{ set_resource_ids: string[] }>("PUT", `vaults/${encodeURIComponent(id)}/set-resources`, {
        resource_ids: ids,
        action: name === "suspend" ? "suspend" : "unsuspend",
      });
      output.answer(answer, () => `${name}${name.endsWith("e") ? "d" : "ed"} ${answer.set_resource_ids.join(", ")}`);
    }),
  );
}

export const vaultSuspend = (parent: Command): void => register(parent, "suspend", "leave resources out of a vault's automatic backups");
export const vaultResume = (parent: Command): void => register(parent, "resume", "take suspended resources into automatic backups again");
