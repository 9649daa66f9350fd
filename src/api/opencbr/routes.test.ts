import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, type DialectApp, openDialectApp } from "../../../test/support/dialect-app.ts";
import { newVolume, own, stored, volume } from "../../../test/support/dialect-fixtures.ts";

let service: DialectApp;
before(async () => {
  service = await openDialectApp();
});
after(() => service.close());

describe("our extension", () => {
  test("bytes go into a volume and come out by range", async () => {
    const id = await newVolume(service, "bytes");
    const size = 2 ** 30;
    const piece = Buffer.from("sixteen bytes!!!");
    const put = (range: string, body: Uint8Array, type = "application/octet-stream") =>
      ask(service, "PUT", `${own}/volumes/${id}/data`, { body, headers: { "content-range": range, "content-type": type } });
    assert.equal((await put(`bytes 4096-4111/${size}`, piece)).status, 204);
    assert.equal((await put("bytes 4096-4100/*", piece)).status, 400);
    assert.equal((await put(`bytes ${size}-${size + 15}/*`, piece)).status, 400);
    assert.match((await put("bytes 0-15/*", piece, "text/plain")).body.error_msg, /Content-Type/);
    const get = (range?: string) => ask(service, "GET", `${own}/volumes/${id}/data`, range === undefined ? {} : { headers: { range } });
    const read = await get("bytes=4096-4111");
    assert.deepEqual([read.status, read.headers["content-range"], read.headers["accept-ranges"]], [206, `bytes 4096-4111/${size}`, "bytes"]);
    assert.deepEqual(read.raw, piece);
    const long = await get();
    assert.deepEqual([long.status, long.raw.length, long.headers["content-range"]], [206, 8 * 1024 * 1024, `bytes 0-${8 * 1024 * 1024 - 1}/${size}`]);
    assert.equal((await get(`bytes=${size}-`)).status, 416);
    const head = await ask(service, "HEAD", `${own}/volumes/${id}/data`);
    assert.deepEqual([head.status, head.headers["content-length"], head.headers["accept-ranges"]], [200, String(size), "bytes"]);
    const extents = (await ask(service, "GET", `${own}/volumes/${id}/extents`)).body;
    assert.equal(extents.size_bytes, size);
    const covered = extents.extents.some(
      (extent: { offset: number; length: number }) => extent.offset <= 4096 && extent.offset + extent.length >= 4112,
    );
    assert.ok(covered, JSON.stringify(extents));
  });

  test("a backup's bytes are read at any range without a restore; its run's figures are told", async () => {
    const { full, parent } = await stored(service);
    service.images.set(full.id, Buffer.from("0123456789"));
    const get = (range?: string) => ask(service, "GET", `${own}/backups/${full.id}/data`, range === undefined ? {} : { headers: { range } });
    assert.deepEqual([(await get("bytes=2-4")).status, (await get("bytes=2-4")).raw.toString()], [206, "234"]);
    assert.deepEqual([(await get()).status, (await get()).raw.toString()], [200, "0123456789"]);
    assert.equal((await get("bytes=10-")).status, 416);
    assert.equal((await ask(service, "HEAD", `${own}/backups/${full.id}/data`)).headers["content-length"], "10");
    assert.equal((await ask(service, "GET", `${own}/backups/${parent.id}/data`)).status, 400);
    const { statistics, chain_id: chainId } = (await ask(service, "GET", `${own}/backups/${full.id}/stats`)).body;
    assert.deepEqual(
      [statistics.read_bytes, statistics.object_count, chainId],
      [full.statistics?.readBytes, full.statistics?.objectCount, full.chainId],
    );
  });

  test("a server is registered as a set of disks, changed and removed", async () => {
    const [root, data] = [await newVolume(service, "root"), await newVolume(service, "data")];
    const made = await ask(service, "POST", `${own}/resources`, {
      body: {
        resource: {
          type: "OS::Nova::Server",
          name: "web",
          architecture: "x86_64",
          disks: [{ volume_id: root, system_disk: true }, { volume_id: data }],
        },
      },
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const { id } = made.body.resource;
    assert.deepEqual(made.body.resource.disks, [
      { volume_id: root, system_disk: true },
      { volume_id: data, system_disk: false },
    ]);
    const attached = (await ask(service, "GET", `${volume}/volumes/${root}`)).body.volume;
    assert.deepEqual([attached.status, attached.attachments[0].server_id], ["in-use", id]);
    const renamed = await ask(service, "PUT", `${own}/resources/${id}`, { body: { resource: { name: "web-2" } } });
    assert.equal(renamed.body.resource.name, "web-2");
    assert.deepEqual((await ask(service, "GET", `${own}/resources?type=OS::Nova::Server&name=web-2`)).body.count, 1);
    assert.equal((await ask(service, "DELETE", `${own}/resources/${id}`)).status, 204);
    assert.equal((await ask(service, "GET", `${own}/resources/${id}`)).body.error_code, "BackupService.6302");
    for (const resource of [
      { type: "OS::Nova::Server", name: "x" },
      { type: "OS::Nova::Server", name: "x", disks: [], path: "/etc/passwd" },
      { type: "OS::Tape", name: "x" },
      { type: "OS::Cinder::Volume", name: "x" },
      { type: "OS::Cinder::Volume", name: "x", path: "/etc/passwd" },
    ]) {
      const answer = await ask(service, "POST", `${own}/resources`, { body: { resource } });
      assert.ok(answer.status === 400 || answer.status === 403, `${answer.status} ${JSON.stringify(resource)}`);
    }
  });
});
