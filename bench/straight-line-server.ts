/**
 * What ShowBackup can at most be compared with, on one core: `node straight-line-server.ts constant|lookup DATABASE PORT`.
 *
 * `constant` answers bare `node:http` with one text of the right size; `lookup` does one `node:sqlite` primary-key look-up,
 * builds the same document from the row's columns and serialises it. Neither authenticates anybody.
 */
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

const [mode, databasePath, port] = process.argv.slice(2);
const database = new DatabaseSync(databasePath!, { readOnly: true });
const byId = database.prepare("SELECT * FROM document WHERE id = ?");
const constant = JSON.stringify(documentOf(database.prepare("SELECT * FROM document LIMIT 1").get() as Record<string, unknown>));

/** Columns named `backup.extend_info.x` become the nested document again. */
function documentOf(row: Record<string, unknown>): object {
  const extendInfo: Record<string, unknown> = {};
  const backup: Record<string, unknown> = { children: [], replication_records: [], extend_info: extendInfo };
  for (const [column, value] of Object.entries(row)) {
    if (column.startsWith("extend_")) extendInfo[column.slice(7)] = value;
    else backup[column] = value;
  }
  return { backup };
}

createServer((request, response) => {
  const url = request.url ?? "";
  const text = mode === "constant" ? constant : JSON.stringify(documentOf(byId.get(url.slice(url.lastIndexOf("/") + 1)) as Record<string, unknown>));
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}).listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));
