import { type Command, Option } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";
import type { WireBackup } from "../support/wire.ts";

const answers = ["pending", "accepted", "rejected"];

export function backupList(parent: Command): void {
  clientCommand(parent, "list", "list backups, newest first")
    .option("--vault <id>", "only of this vault")
    .option("--resource <id>", "only of this resource")
    .option("--status <status>", "only in this status")
    .addOption(new Option("--shared [answer]", "what other projects share with this one, as it was answered").choices(answers).preset("accepted"))
    .action((options: { vault?: string; resource?: string; status?: string; shared?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const filter = new URLSearchParams({
          ...(options.vault === undefined ? {} : { vault_id: options.vault }),
          ...(options.resource === undefined ? {} : { resource_id: options.resource }),
          ...(options.status === undefined ? {} : { status: options.status }),
          ...(options.shared === undefined ? {} : { own_type: "shared", member_status: options.shared }),
        });
        const backups = await listAll((query) =>
          client.cbr<{ backups: WireBackup[] }>("GET", `backups?${query}&${filter.toString()}`).then((page) => page.backups),
        );
        const rows = backups.map((backup) => [
          backup.id,
          backup.name,
          backup.resource_name,
          backup.extend_info.incremental ? "incremental" : "full",
          backup.status,
          backup.created_at.slice(0, 19),
        ]);
        output.answer({ backups }, () => formatTable(["id", "name", "resource", "kind", "status", "created (UTC)"], rows));
      }),
    );
}
