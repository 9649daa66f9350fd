import type { Db } from "./schema.ts";
import type { MetaTable } from "./tables.ts";

export function createMetaTable(db: Db): MetaTable {
  return {
    async get(key) {
      const row = await db.read.selectFrom("meta").select("value").where("key", "=", key).executeTakeFirst();
      return row?.value;
    },
    async set(key, value) {
      await db.write
        .insertInto("meta")
        .values({ key, value })
        .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
        .execute();
    },
    async remove(key) {
      await db.write.deleteFrom("meta").where("key", "=", key).execute();
    },
  };
}
