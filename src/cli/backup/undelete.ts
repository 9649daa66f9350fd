import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";

export function backupDeleted(parent: Command): void {
  clientCommand(parent, "deleted", "list deleted backups that can still be brought back").action((_options: object, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const found = await client.own<{ deleted_backups: { id: string; deleted_at: string; kept_until: string }[] }>("GET", "deleted-backups");
      const rows = found.deleted_backups.map((each) => [each.id, each.deleted_at.slice(0, 19), each.kept_until.slice(0, 19)]);
      output.answer(found, () => formatTable(["id", "deleted (UTC)", "kept until (UTC)"], rows));
    }),
  );
}

export function backupUndelete(parent: Command): void {
  clientCommand(parent, "undelete <id>", "bring a deleted backup back; a server backup, by its id or a disk's, with all of its disks").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const back = await client.own<{ backups: { id: string }[] }>("POST", `deleted-backups/${encodeURIComponent(id)}/undelete`);
        output.answer(back, () => back.backups.map((backup) => `${backup.id} is back`).join("\n"));
      }),
  );
}
