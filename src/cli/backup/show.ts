import { type Command, Option } from "commander";
import { type Dialect, dialects, showBackupIn } from "../support/backups.ts";
import { clientCommand, withTools } from "../support/command.ts";

export function backupShow(parent: Command): void {
  clientCommand(parent, "show <id>", "show a backup as a dialect tells it")
    .addOption(new Option("--dialect <name>", "cbr = CBR v3, vbs3 = Block Storage v3, vbs2 = VBS v2").choices(dialects).default("cbr"))
    .action((id: string, options: { dialect: Dialect }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const answer = await showBackupIn(client, options.dialect, id);
        output.answer(answer, () => JSON.stringify(answer, null, 2));
      }),
    );
}
