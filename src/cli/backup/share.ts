import type { Command } from "commander";
import { clientCommand, withTools } from "../support/command.ts";
import { formatTable } from "../support/format.ts";
import { listAll } from "../support/paging.ts";
import type { WireMember } from "../support/wire.ts";

const membersOf = (id: string): string => `backups/${encodeURIComponent(id)}/members`;

export function backupShare(parent: Command): void {
  clientCommand(parent, "share <id> <project...>", "offer a backup to other projects, by their ids: they may restore it once they accept").action(
    (id: string, projects: string[], _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const answer = await client.cbr<{ members: WireMember[] }>("POST", membersOf(id), { members: projects });
        output.answer(answer, () => answer.members.map((member) => `offered to ${member.dest_project_id}`).join("\n"));
      }),
  );
}

export function backupUnshare(parent: Command): void {
  clientCommand(parent, "unshare <id> <project>", "end a share, as its owner or as its receiver: what is restored from it is stopped").action(
    (id: string, project: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        await client.cbr("DELETE", `${membersOf(id)}/${encodeURIComponent(project)}`);
        output.answer({ unshared: id, project }, () => `no longer shared with ${project}`);
      }),
  );
}

export function backupMembers(parent: Command): void {
  clientCommand(parent, "members <id>", "list the projects that a backup is shared with, newest first").action(
    (id: string, _options: object, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const members = await listAll((query) =>
          client.cbr<{ members: WireMember[] }>("GET", `${membersOf(id)}?${query}`).then((page) => page.members),
        );
        const rows = members.map((member) => [member.dest_project_id, member.status, member.vault_id, member.created_at.slice(0, 19)]);
        output.answer({ members }, () => formatTable(["project", "status", "kept in vault", "shared (UTC)"], rows));
      }),
  );
}

/** The caller's own answer to what was shared with its project. */
function answering(parent: Command, usage: string, doc: string, status: "accepted" | "rejected"): Command {
  return clientCommand(parent, usage, doc).action((id: string, options: { vault?: string }, command: Command) =>
    withTools(command, async ({ client, output }) => {
      const { projectId } = await client.login();
      const body = { status, ...(options.vault === undefined ? {} : { vault_id: options.vault }) };
      const answer = await client.cbr<{ member: WireMember }>("PUT", `${membersOf(id)}/${projectId}`, body);
      output.answer(answer, () => `${status} ${id}`);
    }),
  );
}

export function backupAccept(parent: Command): void {
  answering(parent, "accept <id>", "accept a backup that another project shares, into a vault of the same kind", "accepted").requiredOption(
    "--vault <id>",
    "the vault that it counts in",
  );
}

export function backupReject(parent: Command): void {
  answering(parent, "reject <id>", "reject a backup that another project shares, also one that was accepted", "rejected");
}
