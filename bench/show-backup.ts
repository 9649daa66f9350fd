/**
 * ShowBackup, token checked, against the straight-line server and against bare `node:http`:
 * requests per second and p99 with wrk (32 connections), server on core 0, load on core 1, 10,000 backups in the catalog;
 * and again while a backup runs.
 *
 * `node bench/show-backup.ts [--seconds 10] [--backups 10000]`. Needs wrk and taskset.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { openCatalog } from "../src/catalog/open.ts";
import { Client, devProjectId } from "../test/support/client.ts";
import { sampleDiskBackup } from "../test/support/backup-samples.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" }, backups: { type: "string", default: "10000" } } });
const seconds = Number(values.seconds);
const backupCount = Number(values.backups);
const folder = mkdtempSync(join(tmpdir(), "opencbr-bench-"));
const children: ChildProcess[] = [];

interface Measured {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** Starts a server on core 0 and resolves with its process when `ready` appears on its standard output. */
function startOnCore0(args: string[], ready: RegExp): Promise<ChildProcess> {
  const child = spawn("taskset", ["-c", "0", process.execPath, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (piece: Buffer) => {
      text += piece.toString();
      if (ready.test(text)) resolve(child);
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  child.removeAllListeners("exit");
  const over = once(child, "exit");
  child.kill("SIGTERM");
  await over;
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** wrk with a random id per request; milliseconds. */
function load(baseUrl: string, idsPath: string, pathBefore: string, token: string, forSeconds: number): Measured {
  const script = join(folder, "load.lua");
  writeFileSync(
    script,
    `local ids = {}
for line in io.lines("${idsPath}") do ids[#ids + 1] = line end
wrk.headers["X-Auth-Token"] = "${token}"
function request() return wrk.format("GET", "${pathBefore}" .. ids[math.random(#ids)]) end
function done(summary, latency)
  local rate = summary.requests / (summary.duration / 1e6)
  io.write(string.format("RESULT %f %f %f %d\\n", rate, latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.errors.status))
end
`,
  );
  const text = execFileSync("taskset", ["-c", "1", "wrk", "-t1", "-c32", `-d${forSeconds}s`, "--latency", "-s", script, baseUrl], {
    encoding: "utf8",
  });
  const match = /RESULT (\S+) (\S+) (\S+) (\d+)/.exec(text);
  if (match === null || match[4] !== "0") throw new Error(`wrk: ${text}`);
  return { requestsPerSecond: Number(match[1]), p50Ms: Number(match[2]), p99Ms: Number(match[3]) };
}

function printRow(name: string, m: Measured, of: Measured): void {
  const ratio = (m.requestsPerSecond / of.requestsPerSecond).toFixed(2);
  console.log(`| ${name} | ${Math.round(m.requestsPerSecond)} | ${m.p50Ms.toFixed(2)} | ${m.p99Ms.toFixed(2)} | ${ratio} |`);
}

try {
  const dataPath = join(folder, "data");
  const sourcesPath = join(folder, "sources");
  execFileSync("mkdir", ["-p", sourcesPath]);
  const port = await freePort();
  const service = ["src/main.ts", "serve", "--data", dataPath, "--port", String(port), "--dev", "--source-roots", sourcesPath];
  const baseUrl = `http://127.0.0.1:${port}`;
  const first = await startOnCore0(service, /^ready /m);
  const vaultOfAll = await (await Client.login(baseUrl)).newVault("of-all");
  await stop(first);

  const ids: string[] = [];
  const catalog = await openCatalog({ path: join(dataPath, "catalog.sqlite") });
  const checkpointId = randomUUID();
  await catalog.transaction(async (tables) => {
    await tables.checkpoints.insert({
      id: checkpointId,
      projectId: devProjectId,
      vaultId: vaultOfAll,
      name: "of-all",
      description: null,
      retentionDays: null,
      skipped: [],
      createdAt: Date.now() * 1000,
    });
    for (let n = 0; n < backupCount; n += 1) {
      const id = randomUUID();
      ids.push(id);
      await tables.backups.insert(
        sampleDiskBackup({
          id,
          projectId: devProjectId,
          vaultId: vaultOfAll,
          checkpointId,
          resourceId: randomUUID(),
          chainId: id,
          baseId: null,
          parentId: null,
          snapshotId: null,
        }),
      );
    }
  });
  await catalog.close();
  const idsPath = join(folder, "ids");
  writeFileSync(idsPath, ids.join("\n"));

  const running = await startOnCore0(service, /^ready /m);
  const client = await Client.login(baseUrl);
  const document = (await client.call("GET", `/v3/${devProjectId}/backups/${ids[0]}`)).body.backup as Record<string, unknown>;

  const databasePath = join(folder, "documents.db");
  const documents = new DatabaseSync(databasePath);
  const columns = {
    ...document,
    ...Object.fromEntries(Object.entries(document["extend_info"] as object).map(([key, value]) => [`extend_${key}`, value])),
  };
  const names = Object.keys(columns).filter(
    (name) => !["children", "replication_records", "extend_info", "id", "extend_os_images_data"].includes(name),
  );
  documents.exec(`CREATE TABLE document (id TEXT PRIMARY KEY, ${names.map((name) => `"${name}"`).join(", ")}); BEGIN`);
  const insert = documents.prepare(`INSERT INTO document VALUES (?, ${names.map(() => "?").join(", ")})`);
  const bindable = (value: unknown): string | number | null =>
    typeof value === "boolean" ? Number(value) : ((value ?? null) as string | number | null);
  for (const id of ids) insert.run(id, ...names.map((name) => bindable((columns as Record<string, unknown>)[name])));
  documents.exec("COMMIT");
  documents.close();

  const path = `/v3/${devProjectId}/backups/`;
  const straightLine = async (mode: string): Promise<Measured> => {
    const at = await freePort();
    const server = await startOnCore0(["bench/straight-line-server.ts", mode, databasePath, String(at)], /listening/);
    load(`http://127.0.0.1:${at}`, idsPath, path, "", 2);
    const measured = load(`http://127.0.0.1:${at}`, idsPath, path, "", seconds);
    await stop(server);
    return measured;
  };

  load(baseUrl, idsPath, path, client.token, 3);
  const idle = load(baseUrl, idsPath, path, client.token, seconds);
  const vbs = load(baseUrl, idsPath, `/volume/v2/${devProjectId}/backups/`, client.token, seconds);

  // A backup that lasts as long as the load: 8 GiB of data that neither compresses nor repeats.
  const image = join(sourcesPath, "disk.raw");
  const file = openSync(image, "w");
  for (let n = 0; n < 8 * 64; n += 1) writeSync(file, randomBytes(16 * 1024 * 1024));
  closeSync(file);
  const { resource } = await client.own("POST", "resources", { resource: { type: "OS::Cinder::Volume", name: "disk", path: image } });
  const vaultId = await client.newVault("bench");
  await client.bind(vaultId, resource.id);
  const { checkpoint } = await client.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId } });
  const busy = load(baseUrl, idsPath, path, client.token, seconds);
  const { checkpoint: after } = await client.cbr("GET", `checkpoints/${checkpoint.id}`);
  if (after.status !== "protecting") console.log(`NOTE: the backup was ${after.status} before the load ended; the last row is not all under load`);
  await stop(running);

  const lookup = await straightLine("lookup");
  const constant = await straightLine("constant");
  console.log(
    `${cpus()[0]?.model}; Node ${process.version}; ${backupCount} backups; ` +
      `${Buffer.byteLength(JSON.stringify({ backup: document }))} bytes an answer`,
  );
  console.log("| server | requests/s | p50 ms | p99 ms | of straight-line |\n|---|--:|--:|--:|--:|");
  printRow("bare node:http, a constant", constant, lookup);
  printRow("straight-line: node:http + one look-up, no authentication", lookup, lookup);
  printRow("ShowBackup CBR, token checked", idle, lookup);
  printRow("ShowBackup VBS v2, token checked", vbs, lookup);
  printRow("ShowBackup CBR, while a backup runs on the same core", busy, lookup);
  console.log(`p99 while a backup runs: ${(busy.p99Ms / idle.p99Ms).toFixed(1)} times idle`);
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
