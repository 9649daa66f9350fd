import type { Migration } from "./migration.ts";

/** Which resources have gone from vault to vault with their backups: what is sealed in the store tells only where a backup was made. */
export const vaultMoves: Migration = {
  version: 9,
  statements: ({ int, sequence, tableEnd }) => [
    `create table vault_moves (
      seq ${sequence}, project_id text not null, resource_id text not null, from_vault_id text not null, to_vault_id text not null,
      moved_at ${int} not null)${tableEnd}`,
    `create index vault_moves_project on vault_moves (project_id, seq)`,
  ],
};
