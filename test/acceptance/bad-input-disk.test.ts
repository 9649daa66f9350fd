/** A disk that is full or read-only under a running service, and a data folder whose parts are damaged, missing or of another one. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "../support/client.ts";
import { assertErrorShape } from "../support/error-shape.ts";
import { runCommand, type Service, startService } from "../support/service.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "opencbr-disk-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function newVolume(client: Client, name: string, content: Uint8Array): Promise<string> {
  const id = await client.newVolume(name);
  await client.write(id, 0, content, GiB);
  return id;
}

/** A backup to its end. */
async function backUp(client: Client, volumeId: string): Promise<{ id: string; status: string; fail_reason: string | null }> {
  const { backup } = await client.volume("POST", "backups", { backup: { volume_id: volumeId, incremental: false } });
  return client.until("the backup", async () => {
    const shown = (await client.volume("GET", `backups/${backup.id}`)).backup;
    return shown.status === "creating" ? undefined : shown;
  });
}

async function assertHolds(client: Client, backupId: string, content: Uint8Array): Promise<void> {
  assert.ok(Buffer.from(await client.read(`backups/${backupId}/data`, 0, content.length)).equals(content));
}

const mountable = process.getuid?.() === 0 && canMount();
function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "opencbr-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe]).status === 0;
  if (isMounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return isMounted;
}

/** Fills a file system but for `left` bytes; gives the file to remove. */
function fill(mounted: string, left = 0): string {
  const filler = join(mounted, "filler");
  const { bavail, bsize } = statfsSync(mounted);
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, `bs=${bsize}`, `count=${Math.max(0, bavail - Math.ceil(left / bsize))}`]);
  return filler;
}

/** Runs a story on a small file system of its own. */
async function onSmallDisk(name: string, sizeMib: number, story: (mounted: string) => Promise<void>): Promise<void> {
  const mounted = join(folder, name);
  mkdirSync(mounted);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "tmpfs", mounted]);
  try {
    await story(mounted);
  } finally {
    execFileSync("umount", ["--lazy", mounted]);
  }
}

describe("a disk that cannot be written", { skip: mountable ? false : "mounting a file system needs root" }, () => {
  test("a full store: the backup fails and says so, earlier ones stay, the next one works when there is space again", async () => {
    await onSmallDisk("store", 96, async (mounted) => {
      const dataPath = join(folder, "with-small-store");
      // Only the store lies on the small disk.
      mkdirSync(dataPath, { mode: 0o700 });
      mkdirSync(join(dataPath, "store"), { mode: 0o700 });
      execFileSync("mount", ["--bind", mounted, join(dataPath, "store")]);
      const service = await startService({ dataPath });
      try {
        const client = await Client.login(service.baseUrl);
        const [small, large] = [randomBytes(2 * MiB), randomBytes(40 * MiB)];
        const [one, two] = [await newVolume(client, "one", small), await newVolume(client, "two", large)];
        const good = await backUp(client, one);
        assert.equal(good.status, "available");
        const filler = fill(mounted, 8 * MiB);
        const failed = await backUp(client, two);
        assert.equal(failed.status, "error");
        assert.match(failed.fail_reason ?? "", /no space left/i);
        const task = (await client.cbr("GET", "operation-logs?status=failed")).operation_logs[0];
        assert.equal(task.error_info.code, "BackupService.9910");
        assert.match(task.error_info.message, /no space left/i);
        assert.equal((await client.volume("GET", `volumes/${two}`)).volume.status, "available");
        await assertHolds(client, good.id, small);
        rmSync(filler);
        const later = await backUp(client, two);
        assert.equal(later.status, "available", later.fail_reason ?? "");
        await assertHolds(client, later.id, large.subarray(0, 8 * MiB));
        assert.doesNotMatch(service.errors(), /"level":(50|60)/);
      } finally {
        await service.stop();
        execFileSync("umount", ["--lazy", join(dataPath, "store")]);
      }
    });
  });

  test("a full data folder: whatever is asked has an answer in its dialect, nothing is lost, and all works when there is space again", async () => {
    await onSmallDisk("data", 64, async (mounted) => {
      const dataPath = join(mounted, "data");
      let service = await startService({ dataPath });
      try {
        let client = await Client.login(service.baseUrl);
        const content = randomBytes(4 * MiB);
        const volumeId = await newVolume(client, "one", content);
        const good = await backUp(client, volumeId);
        assert.equal(good.status, "available");
        const before = (await client.cbr("GET", "vaults")).count;
        const filler = fill(mounted);
        const asked: ["cbr" | "cinder" | "opencbr", () => ReturnType<Client["call"]>][] = [
          [
            "opencbr",
            () =>
              client.call("PUT", `/opencbr/v1/${client.projectId}/volumes/${volumeId}/data`, randomBytes(MiB), {
                "content-range": `bytes ${GiB - MiB}-${GiB - 1}/${GiB}`,
              }),
          ],
          ["cinder", () => client.call("POST", `/volume/v3/${client.projectId}/volumes`, { volume: { name: "more", size: 1 } })],
          ["cinder", () => client.call("POST", `/volume/v3/${client.projectId}/backups`, { backup: { volume_id: volumeId } })],
          ...Array.from(
            { length: 40 },
            (_, n) =>
              [
                "cbr",
                () =>
                  client.call("POST", `/v3/${client.projectId}/vaults`, {
                    vault: {
                      name: `v${n}`,
                      resources: [],
                      description: "x".repeat(64),
                      billing: { size: 10, object_type: "disk", protect_type: "backup", consistent_level: "crash_consistent" },
                    },
                  }),
              ] as ["cbr", () => ReturnType<Client["call"]>],
          ),
        ];
        let made = 0;
        const refused: number[] = [];
        for (const [dialect, ask] of asked) {
          const { status, headers, body } = await ask();
          if (dialect === "cbr" && status === 200) made += 1;
          if (status < 300) continue;
          refused.push(status);
          const told = `${status} ${JSON.stringify(body)}`;
          assert.equal(status, 507, told);
          assertErrorShape(dialect, "POST", { status, headers: Object.fromEntries(headers), text: JSON.stringify(body) }, told);
          assert.match(JSON.stringify(body), /no space left/i);
        }
        assert.ok(refused.length > 0, "the disk was not full");
        // Reading needs no space.
        assert.equal((await client.cbr("GET", "vaults")).count, before + made + 0);
        await assertHolds(client, good.id, content);
        rmSync(filler);
        const settled = await client.until("every task to end", async () => {
          const { operation_logs: tasks } = await client.cbr("GET", "operation-logs");
          return tasks.every((task: { status: string }) => ["success", "failed"].includes(task.status)) ? tasks : undefined;
        });
        assert.ok(settled.length >= 1);
        const { backups } = await client.cbr("GET", "backups");
        for (const backup of backups) assert.ok(["available", "error"].includes(backup.status), backup.status);
        assert.equal((await backUp(client, volumeId)).status, "available");
        assert.equal(await service.stop(), 0, service.errors());
        service = await startService({ dataPath });
        client = await Client.login(service.baseUrl);
        await assertHolds(client, good.id, content);
      } finally {
        await service.stop();
      }
    });
  });

  test("a data folder that becomes read-only: reads go on, changes are refused, and nothing is lost", async () => {
    await onSmallDisk("ro", 64, async (mounted) => {
      const dataPath = join(mounted, "data");
      let service: Service = await startService({ dataPath });
      try {
        const client = await Client.login(service.baseUrl);
        const content = randomBytes(MiB);
        const good = await backUp(client, await newVolume(client, "one", content));
        await service.stop();
        service = await startService({ dataPath: join(mounted, "data") });
        const there = await Client.login(service.baseUrl);
        // A bind mount over the store: what is open already stays writable, new objects do not.
        execFileSync("mount", ["--bind", join(dataPath, "store"), join(dataPath, "store")]);
        execFileSync("mount", ["-o", "remount,bind,ro", join(dataPath, "store")]);
        const failed = await backUp(there, await newVolume(there, "two", randomBytes(MiB)));
        assert.equal(failed.status, "error");
        assert.match(failed.fail_reason ?? "", /read-only/);
        await assertHolds(there, good.id, content);
        execFileSync("umount", ["--lazy", join(dataPath, "store")]);
        assert.equal((await backUp(there, await newVolume(there, "three", randomBytes(MiB)))).status, "available");
      } finally {
        await service.stop();
      }
    });
  });
});

describe("a data folder whose parts do not belong together", () => {
  let original: string;
  let content: Buffer;
  let backupId: string;
  before(async () => {
    original = join(folder, "original");
    const service = await startService({ dataPath: original });
    const client = await Client.login(service.baseUrl);
    content = randomBytes(3 * MiB);
    const backup = await backUp(client, await newVolume(client, "one", content));
    assert.equal(backup.status, "available");
    backupId = backup.id;
    assert.equal(await service.stop(), 0);
  });

  /** A copy of the folder with something done to it. */
  function copyOf(name: string, change: (dataPath: string) => void): string {
    const dataPath = join(folder, name);
    // With its holes: the volume inside is 1 GiB of them.
    execFileSync("cp", ["--archive", "--sparse=always", original, dataPath]);
    change(dataPath);
    return dataPath;
  }

  /** A start must fail with one sentence and leave every file as it was. */
  async function refusalOf(dataPath: string): Promise<string> {
    const held = (): Map<string, string> =>
      new Map(["master.key", "catalog.sqlite"].map((name) => [name, readFileSync(join(dataPath, name)).toString("base64")]));
    const before = held();
    const { code, stdout, stderr } = await runCommand(["serve", "--data", dataPath, "--port", "0", "--dev", "--log-level", "error"]);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^opencbr: [^\n]+\n$/);
    assert.doesNotMatch(stderr, /\bat \S+ \(|node:/);
    assert.deepEqual(held(), before);
    return stderr;
  }

  const removeIndex = (dataPath: string): void => {
    for (const name of readdirSync(dataPath).filter((one) => one.startsWith("index.sqlite"))) rmSync(join(dataPath, name), { recursive: true });
  };

  test("a catalog that is cut off, garbage, changed by a bit, empty, gone, another program's, or newer", async () => {
    const catalog = (dataPath: string): string => join(dataPath, "catalog.sqlite");
    assert.match(await refusalOf(copyOf("cut", (path) => truncateSync(catalog(path), 10_000))), /cannot be used|cannot start/);
    assert.match(await refusalOf(copyOf("garbage", (path) => writeFileSync(catalog(path), randomBytes(50_000)))), /cannot be used/);
    const flipped = copyOf("flipped", (path) => {
      const bytes = readFileSync(catalog(path));
      bytes[bytes.indexOf(backupId) + 5]! ^= 1;
      writeFileSync(catalog(path), bytes);
    });
    assert.match(await refusalOf(flipped), /is damaged: .*Nothing was changed.*opencbr rebuild --from/);
    assert.match(
      await refusalOf(copyOf("emptied", (path) => truncateSync(catalog(path), 0))),
      /catalog\.sqlite is empty: remove it, .*opencbr rebuild/,
    );
    const gone = copyOf("gone", (path) => rmSync(catalog(path)));
    const { code, stderr } = await runCommand(["serve", "--data", gone, "--port", "0", "--dev", "--log-level", "error"]);
    assert.equal(code, 1);
    assert.match(stderr, /catalog\.sqlite is missing: .*opencbr rebuild --from/);
    assert.equal(existsSync(catalog(gone)), false);
    const foreign = copyOf("foreign", (path) => {
      rmSync(catalog(path));
      const database = new DatabaseSync(catalog(path));
      // As the first look would make it.
      database.exec("pragma journal_mode = wal; create table somebody_elses (id int)");
      database.close();
    });
    assert.match(await refusalOf(foreign), /cannot be used: .*something else/);
    const newer = copyOf("newer", (path) => {
      const database = new DatabaseSync(catalog(path));
      database.exec("pragma journal_mode = wal; update schema_version set version = 9999");
      database.close();
    });
    assert.match(await refusalOf(newer), /schema 9999; this program knows up to \d+: start a newer program/);
  });

  async function assertWorks(dataPath: string): Promise<void> {
    const service = await startService({ dataPath });
    try {
      const client = await Client.login(service.baseUrl);
      await assertHolds(client, backupId, content);
      const again = await backUp(client, await newVolume(client, "two", content));
      assert.equal(again.status, "available", `${dataPath}: ${again.fail_reason}`);
      await assertHolds(client, again.id, content);
    } finally {
      assert.equal(await service.stop(), 0, dataPath);
    }
  }

  test("without its chunk index: it is made anew, every backup restores and new ones are made", () =>
    assertWorks(copyOf("index-missing", removeIndex)));

  test("a chunk index that is garbage, cut off, or of another store: told, and made anew when it was deleted", async () => {
    const other = join(folder, "other-store");
    await (await startService({ dataPath: other })).stop();
    const changes: Record<string, (dataPath: string) => void> = {
      "index-garbage": (path) => writeFileSync(join(path, "index.sqlite"), randomBytes(50_000)),
      "index-cut": (path) => truncateSync(join(path, "index.sqlite"), 5000),
      "index-foreign": (path) => cpSync(join(other, "index.sqlite"), join(path, "index.sqlite")),
    };
    for (const [name, change] of Object.entries(changes)) {
      const dataPath = copyOf(name, change);
      assert.match(await refusalOf(dataPath), /chunk index .*(; delete it to have it rebuilt| is that of repository )/, name);
      removeIndex(dataPath);
      if (name === "index-foreign") await assertWorks(dataPath);
    }
  });

  test("a store of another folder, and one whose record of itself is damaged", async () => {
    const other = join(folder, "other-owner");
    await (await startService({ dataPath: other })).stop();
    const swapped = copyOf("swapped", (path) => {
      rmSync(join(path, "store"), { recursive: true });
      cpSync(join(other, "store"), join(path, "store"), { recursive: true });
    });
    assert.match(await refusalOf(swapped), /master key/);
    const damaged = copyOf("damaged", (path) => {
      const objects = join(path, "store", "objects");
      const record = readdirSync(objects, { withFileTypes: true }).find((entry) => entry.isFile());
      assert.ok(record, "the store has a record of itself");
      writeFileSync(join(objects, record.name), "garbage");
    });
    await refusalOf(damaged);
  });
});
