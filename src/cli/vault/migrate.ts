import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";

export function vaultMigrate(parent: Command): void {
  clientCommand(parent, "migrate <from> <to> <resource...>", "put resources of a vault into another one, with all their backups").action(
    (from: string, to: string, ids: string[], _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const answer = await client.cbr<{ migrated_resources: string[] }>("POST", `vaults/${encodeURIComponent(from)}/migrateresources`, {
          destination_vault_id: to,
          resource_ids: ids,
        });
        output.answer(answer, () => `migrated ${answer.migrated_resources.join(", ")}`);
      }),
  );
}
