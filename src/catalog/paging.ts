import { sql } from "kysely";
import type { Kysely, RawBuilder, SqlBool } from "kysely";
import type { Listed, Page } from "./tables.ts";
import type { Schema } from "./schema.ts";

export type Condition = RawBuilder<SqlBool>;
type Value = string | number;

/** `column = value`; no condition when the value is not given. */
export const equals = (column: string, value: Value | undefined): Condition[] => (value === undefined ? [] : [sql`${sql.ref(column)} = ${value}`]);

/** `column` is one of the values: none of them, if the list is empty. No condition when the list is not given. */
export function isOneOf(column: string, values: readonly Value[] | undefined): Condition[] {
  if (values === undefined) return [];
  return values.length === 0 ? [sql`1 = 0`] : [sql`${sql.ref(column)} in (${sql.join([...values])})`];
}

/** `column` contains the text, whatever the case of its Latin letters. */
export function contains(column: string, text: string | undefined): Condition[] {
  if (text === undefined) return [];
  const pattern = `%${text.replace(/[\\%_]/g, (special) => `\\${special}`)}%`;
  return [sql`lower(${sql.ref(column)}) like lower(${pattern}) escape '\\'`];
}

export const between = (column: string, from: number | undefined, to: number | undefined): Condition[] => [
  ...(from === undefined ? [] : [sql<SqlBool>`${sql.ref(column)} >= ${from}`]),
  ...(to === undefined ? [] : [sql<SqlBool>`${sql.ref(column)} <= ${to}`]),
];

export const allOf = (conditions: readonly Condition[]): Condition =>
  conditions.length === 0 ? sql`1 = 1` : sql`${sql.join([...conditions], sql` and `)}`;

/** What to sort by. `ifNull` stands for an absent value, because databases disagree on where nulls go. */
export interface Order {
  column: string;
  direction: "asc" | "desc";
  ifNull?: Value;
}

export const newestFirst: readonly Order[] = [{ column: "created_at", direction: "desc" }];

/**
 * One page of a table with an `id`, and the count of all matches. `visible` says which rows the caller may see at all; a marker outside of
 * them gives an empty page, while one that merely no longer matches `filter` still marks its place. Equal rows are in order of their id.
 */
export async function selectPage<Row>(
  db: Kysely<Schema>,
  query: { table: keyof Schema; visible: readonly Condition[]; filter: readonly Condition[]; orders: readonly Order[]; page: Page },
): Promise<Listed<Row>> {
  const { page } = query;
  const table = sql.table(query.table);
  const orders: Order[] = [...query.orders.filter(({ column }) => column !== "id"), idOrder(query.orders)];
  const matches = allOf([...query.visible, ...query.filter]);
  const counted = await sql<{ count: number }>`select count(*) as count from ${table} where ${matches}`.execute(db);
  const count = counted.rows[0]!.count;
  let place: Condition = sql`1 = 1`;
  if (page.marker !== undefined) {
    const keys = sql.join(orders.map((order, i) => sql`${keyOf(order)} as ${sql.ref(`k${i}`)}`));
    const marked = await sql<
      Record<string, Value>
    >`select ${keys} from ${table} where ${allOf([...query.visible, ...equals("id", page.marker)])}`.execute(db);
    const row = marked.rows[0];
    if (row === undefined) return { items: [], count };
    place = after(
      orders,
      orders.map((_, i) => row[`k${i}`]!),
    );
  }
  const by = sql.join(orders.map((order) => sql`${keyOf(order)} ${sql.raw(order.direction)}`));
  const items = await sql<Row>`select * from ${table} where ${matches} and ${place} order by ${by} limit ${page.limit} offset ${page.offset}`.execute(
    db,
  );
  return { items: items.rows, count };
}

function idOrder(orders: readonly Order[]): Order {
  return orders.find(({ column }) => column === "id") ?? { column: "id", direction: orders.at(-1)?.direction ?? "desc" };
}

const keyOf = (order: Order): RawBuilder<unknown> =>
  order.ifNull === undefined ? sql`${sql.ref(order.column)}` : sql`coalesce(${sql.ref(order.column)}, ${order.ifNull})`;

/** Rows behind the one with these sort keys. As a row comparison where all directions agree: an index serves that. */
function after(orders: readonly Order[], values: readonly Value[]): Condition {
  const beyond = (order: Order): RawBuilder<unknown> => (order.direction === "asc" ? sql`>` : sql`<`);
  if (orders.every(({ direction }) => direction === orders[0]!.direction)) {
    return sql`(${sql.join(orders.map(keyOf))}) ${beyond(orders[0]!)} (${sql.join([...values])})`;
  }
  const alternatives = orders.map((order, i) => {
    const ties = orders.slice(0, i).map((tied, j): Condition => sql`${keyOf(tied)} = ${values[j]}`);
    return sql`(${allOf([...ties, sql`${keyOf(order)} ${beyond(order)} ${values[i]}`])})`;
  });
  return sql`(${sql.join(alternatives, sql` or `)})`;
}
