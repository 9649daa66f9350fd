/**
 * SQL of the bytes that a vault's capacity is used by: a server backup is the sum of its disks' backups, so only those are counted; what is shared
 * with its project and kept in it counts too. `vault` is SQL for its id.
 */
export const usedBytesOf = (vault: string): string =>
  `((select coalesce(sum(b.stored_bytes), 0) from backups b where b.vault_id = ${vault} and b.resource_type <> 'OS::Nova::Server')
    + (select coalesce(sum(m.size_bytes), 0) from members m where m.vault_id = ${vault}))`;
