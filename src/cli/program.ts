import { Command, CommanderError } from "commander";
import { auditList } from "./audit/list.ts";
import { backupDamage } from "./backup/damage.ts";
import { accessKeyCreate } from "./access-key/create.ts";
import { accessKeyDelete } from "./access-key/delete.ts";
import { accessKeyList } from "./access-key/list.ts";
import { policyBind, policyUnbind } from "./policy/bind.ts";
import { policyCreate } from "./policy/create.ts";
import { policyDelete } from "./policy/delete.ts";
import { policyList } from "./policy/list.ts";
import { policyShow } from "./policy/show.ts";
import { policyUpdate } from "./policy/update.ts";
import { projectCreate } from "./project/create.ts";
import { projectDelete } from "./project/delete.ts";
import { projectList } from "./project/list.ts";
import { roleGrant } from "./role/grant.ts";
import { roleList } from "./role/list.ts";
import { roleRevoke } from "./role/revoke.ts";
import { userCreate } from "./user/create.ts";
import { userDelete } from "./user/delete.ts";
import { userList } from "./user/list.ts";
import { userPassword } from "./user/password.ts";
import { backupCreate } from "./backup/create.ts";
import { backupDelete } from "./backup/delete.ts";
import { backupList } from "./backup/list.ts";
import { backupCopies, backupReplicate } from "./backup/replicate.ts";
import { backupRestore } from "./backup/restore.ts";
import { backupAccept, backupMembers, backupReject, backupShare, backupUnshare } from "./backup/share.ts";
import { backupDeleted, backupUndelete } from "./backup/undelete.ts";
import { backupShow } from "./backup/show.ts";
import { check } from "./check.ts";
import { collect } from "./collect.ts";
import { demo } from "./demo.ts";
import { eventList } from "./event/list.ts";
import { keyDestroy } from "./key/destroy.ts";
import { keyExport } from "./key/export.ts";
import { keyImport } from "./key/import.ts";
import { keyRotate } from "./key/rotate.ts";
import { rebuild } from "./rebuild.ts";
import { resourceAdd } from "./resource/add.ts";
import { resourceList } from "./resource/list.ts";
import { resourceRemove } from "./resource/remove.ts";
import { resourceShow } from "./resource/show.ts";
import { restoreOffline } from "./restore-offline.ts";
import { type Flags, serve } from "./serve.ts";
import { type SettingHelp, settings } from "./settings.ts";
import { stats } from "./stats.ts";
import { CommandError } from "./support/errors.ts";
import { taskCancel } from "./task/cancel.ts";
import { taskList } from "./task/list.ts";
import { taskShow } from "./task/show.ts";
import { taskWatch } from "./task/watch.ts";
import { token } from "./token.ts";
import { vaultBind } from "./vault/bind.ts";
import { vaultCreate } from "./vault/create.ts";
import { vaultDelete } from "./vault/delete.ts";
import { vaultList } from "./vault/list.ts";
import { vaultLock } from "./vault/lock.ts";
import { vaultMigrate } from "./vault/migrate.ts";
import { vaultReplicate } from "./vault/replicate.ts";
import { vaultShow } from "./vault/show.ts";
import { vaultSummary } from "./vault/summary.ts";
import { vaultResume, vaultSuspend } from "./vault/suspend.ts";
import { vaultUpdate } from "./vault/update.ts";
import { volumeCreate } from "./volume/create.ts";
import { volumeDelete } from "./volume/delete.ts";
import { volumeExport } from "./volume/export.ts";
import { volumeImport } from "./volume/import.ts";
import { volumeList } from "./volume/list.ts";
import { volumeShow } from "./volume/show.ts";
import { webhookAdd } from "./webhook/add.ts";
import { webhookDeliveries } from "./webhook/deliveries.ts";
import { webhookList } from "./webhook/list.ts";
import { webhookRemove } from "./webhook/remove.ts";
import { webhookTest } from "./webhook/test.ts";

/** What the command line needs from the composition root. */
export interface ProgramParts {
  version: string;
  settings: readonly SettingHelp[];
  serve: (flags: Flags) => Promise<void>;
  /** The program itself, to start a private service with: `node MAIN serve …`. */
  mainPath: string;
}

type Register = (parent: Command) => void;

/** Every command, group by group. */
const groups: Record<string, { doc: string; commands: Register[] }> = {
  volume: {
    doc: "disks: import, export, list, show, create, delete",
    commands: [volumeImport, volumeExport, volumeList, volumeShow, volumeCreate, volumeDelete],
  },
  resource: { doc: "what can be protected: add, list, show, remove", commands: [resourceAdd, resourceList, resourceShow, resourceRemove] },
  vault: {
    doc: "vaults: create, update, lock, bind, suspend, resume, migrate, replicate, list, show, summary, delete",
    commands: [
      vaultCreate,
      vaultUpdate,
      vaultLock,
      vaultBind,
      vaultSuspend,
      vaultResume,
      vaultMigrate,
      vaultReplicate,
      vaultList,
      vaultShow,
      vaultSummary,
      vaultDelete,
    ],
  },
  policy: {
    doc: "when vaults are backed up or copied by themselves: create, list, show, update, delete, bind, unbind",
    commands: [policyCreate, policyList, policyShow, policyUpdate, policyDelete, policyBind, policyUnbind],
  },
  backup: {
    doc: "backups: create, list, show, restore, delete, deleted, undelete, damage, replicate, copies, share, unshare, members, accept, reject",
    commands: [
      backupCreate,
      backupList,
      backupShow,
      backupRestore,
      backupDelete,
      backupDeleted,
      backupUndelete,
      backupDamage,
      backupReplicate,
      backupCopies,
      backupShare,
      backupUnshare,
      backupMembers,
      backupAccept,
      backupReject,
    ],
  },
  task: { doc: "work that was asked for: list, show, watch, cancel", commands: [taskList, taskShow, taskWatch, taskCancel] },
  audit: { doc: "who has changed what: list", commands: [auditList] },
  project: { doc: "projects: create, list, delete", commands: [projectCreate, projectList, projectDelete] },
  user: { doc: "users: create, list, password, delete", commands: [userCreate, userList, userPassword, userDelete] },
  role: { doc: "who may do what in which project: grant, revoke, list", commands: [roleGrant, roleRevoke, roleList] },
  "access-key": { doc: "access keys (AK/SK): create, list, delete", commands: [accessKeyCreate, accessKeyList, accessKeyDelete] },
  event: { doc: "what happened: list", commands: [eventList] },
  webhook: {
    doc: "where events are sent: add, list, remove, test, deliveries",
    commands: [webhookAdd, webhookList, webhookRemove, webhookTest, webhookDeliveries],
  },
  key: { doc: "the master key, offline: export, import, rotate, destroy", commands: [keyExport, keyImport, keyRotate, keyDestroy] },
};

export function createProgram(parts: ProgramParts): Command {
  const program = new Command("opencbr")
    .description("Self-hosted cloud backup and recovery: CBR v3, OpenStack Block Storage backups, VBS.")
    .version(parts.version, "--version", "print the version")
    .showHelpAfterError("(opencbr COMMAND --help tells more)");
  serve(program, parts.settings, parts.serve);
  demo(program, parts.mainPath);
  for (const [name, { doc, commands }] of Object.entries(groups)) {
    const group = program.command(name).description(doc);
    for (const register of commands) register(group);
  }
  rebuild(program);
  restoreOffline(program);
  check(program);
  collect(program);
  stats(program);
  token(program);
  settings(program, parts.settings);
  program.addHelpText("after", () => `\nEvery command:\n${commandLines(program).join("\n")}\n`);
  everyCommand(program, (command) => command.exitOverride());
  return program;
}

function everyCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const inner of command.commands) everyCommand(inner, visit);
}

/** `opencbr volume import [options] <file>   what it does`, one line for each command that does something. */
export function commandLines(program: Command): string[] {
  const lines: [string, string][] = [];
  const visit = (command: Command, path: string): void => {
    if (command.commands.length === 0) lines.push([`${path} ${command.usage()}`.replace(" [options]", ""), command.description()]);
    for (const inner of command.commands) visit(inner, `${path} ${inner.name()}`);
  };
  for (const command of program.commands) visit(command, `opencbr ${command.name()}`);
  const width = Math.max(...lines.map(([usage]) => usage.length));
  return lines.map(([usage, doc]) => `  ${usage.padEnd(width)}  ${doc}`);
}

/** Runs one command line; gives the exit code: 0 done, 1 failed, 2 wrong usage. Failures are one sentence on standard error. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  // Catalogs, keys, disks: what this program makes is its owner's alone, also in a folder that others may read.
  process.umask(0o077);
  try {
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CommandError) {
      process.stderr.write(`opencbr: ${error.message}\n`);
      return error.exitCode;
    }
    process.stderr.write(`opencbr: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
