/** What the databases spell differently in a table's definition; everything else in a migration is common SQL. */
export interface DdlWords {
  /** A 64-bit integer. */
  int: string;
  bytes: string;
  /** Primary key that rises with every insert. */
  sequence: string;
  /** After the closing bracket of a table. */
  tableEnd: string;
}

export interface Migration {
  /** The schema version that it leads to, from 1, without gaps. */
  version: number;
  statements(words: DdlWords): string[];
}
