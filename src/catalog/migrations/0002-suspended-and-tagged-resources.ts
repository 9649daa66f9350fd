import type { Migration } from "./migration.ts";

/** A vault's resource may be left out of automatic backups; a resource has tags, by which vaults bind it. */
export const suspendedAndTaggedResources: Migration = {
  version: 2,
  statements: ({ int }) => [
    `alter table vault_resources add column suspended ${int} not null default 0`,
    `alter table resources add column tags text not null default '[]'`,
  ],
};
