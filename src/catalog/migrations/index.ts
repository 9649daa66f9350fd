import { firstTables } from "./0001-first-tables.ts";
import { suspendedAndTaggedResources } from "./0002-suspended-and-tagged-resources.ts";
import { auditLog } from "./0003-audit.ts";
import { applicationCredentials } from "./0004-application-credentials.ts";
import { policies } from "./0005-policies.ts";
import { rowSums } from "./0006-row-sums.ts";
import { events } from "./0007-events.ts";
import { amendedBackups } from "./0008-amended-backups.ts";
import { vaultMoves } from "./0009-vault-moves.ts";
import { members } from "./0010-members.ts";
import { replication } from "./0011-replication.ts";
import { endedTasks } from "./0012-ended-tasks.ts";
import { listIndexes } from "./0013-list-indexes.ts";
import { backupsOfResourceInVault } from "./0014-backups-of-resource-in-vault.ts";
import type { Migration } from "./migration.ts";

/** In order. A released migration is never edited: what is wrong with it is put right by a later one. */
export const migrations: readonly Migration[] = [
  firstTables,
  suspendedAndTaggedResources,
  auditLog,
  applicationCredentials,
  policies,
  rowSums,
  events,
  amendedBackups,
  vaultMoves,
  members,
  replication,
  endedTasks,
  listIndexes,
  backupsOfResourceInVault,
];
