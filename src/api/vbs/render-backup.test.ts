import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { sampleDiskBackup, sampleStatistics, sampleView } from "../../../test/support/backup-samples.ts";
import { renderBackupV3 } from "../cinder/render-backup.ts";
import { renderBackupV2 } from "./render-backup.ts";
import { megabytesPerSecond, renderServiceMetadata, savedPercent, type ServiceMetadataFacts } from "./service-metadata.ts";

const base = { versioned: "http://host/volume/v2", bare: "http://host/volume" };
const facts: ServiceMetadataFacts = { store: { kind: "local", location: "/srv/store" }, typeReading: "seed", serverId: null };

const v2Fields = [
  "status",
  "description",
  "links",
  "availability_zone",
  "volume_id",
  "fail_reason",
  "id",
  "size",
  "object_count",
  "container",
  "name",
  "created_at",
  "os-bak-tenant-attr:tenant_id",
  "service_metadata",
  "updated_at",
  "data_timestamp",
  "has_dependent_backups",
  "snapshot_id",
  "is_incremental",
];
const metadataFields: Record<string, string> = {
  DL: "number",
  VK: "string",
  CMKID: "string",
  bootable: "boolean",
  backupurl: "string",
  SP: "string",
  BP: "string",
  BT: "number",
  SS: "number",
  ST: "number",
  VMID: "string",
  CS: "number",
  VT: "string",
  OMID: "string",
  ebk_T_I: "string",
  AT: "number",
  progress: "string",
  Type: "number",
  BackupSize: "number",
  snap_id: "string",
};
const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe("VBS v2's rendering of a backup", () => {
  test("has every documented key and no other", () => {
    assert.deepEqual(Object.keys(renderBackupV2(sampleView(sampleDiskBackup()), base, facts)).sort(), v2Fields.toSorted());
  });

  test("service_metadata has every documented key with its type, on an encrypted disk of a server", () => {
    const view = sampleView(sampleDiskBackup({ parentId: "11111111-1111-4111-8111-111111111111" }));
    const metadata = parse(renderServiceMetadata(view, { ...facts, serverId: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" }));
    assert.deepEqual(Object.keys(metadata).sort(), Object.keys(metadataFields).sort());
    for (const [key, type] of Object.entries(metadataFields)) assert.equal(typeof metadata[key], type, key);
  });

  test("golden: the text, with one space before and after", () => {
    assert.equal(
      renderServiceMetadata(sampleView(sampleDiskBackup()), facts),
      [
        ' {"bootable": true, "backupurl": "55555555-5555-4555-8555-555555555555", "BackupSize": 24, "progress": "100", "Type": 0, "DL": 3',
        '"SS": 75, "CS": 67, "ST": 0, "BT": 0, "BP": "/srv/store", "OMID": "88888888-8888-4888-8888-888888888888"',
        '"SP": "p/00000000000000000000000000000001/roots/55555555-5555-4555-8555-555555555555", "VT": "ssd"',
        '"ebk_T_I": "99999999-9999-4999-8999-999999999999", "snap_id": "66666666666646668666666666666666"',
        `"VK": "${"0123456789abcdef".repeat(4)}", "CMKID": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "AT": 134.2} `,
      ].join(", "),
    );
  });

  test("each figure follows its fact", () => {
    const of = (patch: Parameters<typeof sampleDiskBackup>[0], more: Partial<ServiceMetadataFacts> = {}) =>
      parse(renderServiceMetadata(sampleView(sampleDiskBackup(patch)), { ...facts, ...more }));
    assert.equal(of({ incremental: false })["Type"], 1);
    assert.equal(of({ incremental: true })["Type"], 0);
    assert.equal(of({ incremental: false }, { typeReading: "otc2022" })["Type"], 0);
    assert.equal(of({ incremental: true }, { typeReading: "otc2022" })["Type"], 1);
    assert.equal(of({ statistics: { ...sampleStatistics, compressed: false } })["DL"], 1);
    assert.equal(of({ statistics: null })["DL"], 0);
    assert.equal(of({ imageType: "replication" })["ST"], 4);
    assert.equal(of({ imageType: "replication", parentId: "11111111-1111-4111-8111-111111111111" })["ST"], 5);
    assert.equal(of({}, { store: { kind: "memory", location: "memory" } })["BT"], 2);
    assert.equal(of({}, { store: { kind: "s3", location: "s3://bucket" } })["BT"], 1);
    assert.equal(of({ progress: 41 })["progress"], "41");
    const plain = of({ encryption: null, snapshotId: null, rootKey: null });
    for (const key of ["VK", "CMKID", "snap_id", "SP", "VMID"]) assert.ok(!(key in plain), key);
  });

  test("a description is plain text, unless the backup came through cloudbackups", () => {
    const description = (viaCloudbackups: boolean) => renderBackupV2(sampleView(sampleDiskBackup({ viaCloudbackups })), base, facts).description;
    assert.equal(description(false), "before the upgrade");
    assert.equal(description(true), '{"DESC":"before the upgrade","INC":1}');
  });

  test("whatever the facts, the text holds JSON", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(), fc.nat(), fc.nat(), (location, rootKey, storedBytes, dataBytes, durationMs) => {
        const view = sampleView(sampleDiskBackup({ rootKey, statistics: { ...sampleStatistics, storedBytes, dataBytes, durationMs } }));
        const metadata = parse(renderServiceMetadata(view, { ...facts, store: { kind: "local", location } }));
        assert.equal(metadata["BP"], location);
        assert.equal(metadata["SP"], rootKey);
        const saved = metadata["SS"];
        assert.ok(typeof saved === "number" && Number.isInteger(saved) && saved >= 0 && saved <= 100);
      }),
    );
  });

  test("rates and savings at their edges", () => {
    assert.equal(savedPercent(0, 0), 0);
    assert.equal(savedPercent(100, 120), 0);
    assert.equal(savedPercent(100, 0), 100);
    assert.equal(megabytesPerSecond(5_000_000, 0), 0);
    assert.equal(megabytesPerSecond(5_000_000, 1000), 5);
  });
});

describe("Block Storage v3's rendering of a backup", () => {
  const v3 = { versioned: "http://host/volume/v3", bare: "http://host/volume" };
  const first = v2Fields.filter((field) => field !== "service_metadata" && field !== "os-bak-tenant-attr:tenant_id");
  const always = [...first, "os-backup-project-attr:project_id"];
  const keys = (minor: number, encrypted: boolean, explicitVersion = true) =>
    Object.keys(renderBackupV3(sampleView(sampleDiskBackup(encrypted ? {} : { encryption: null })), v3, { minor, explicitVersion })).sort();

  test("has exactly the keys of each microversion", () => {
    assert.deepEqual(keys(0, true, false), always.toSorted());
    assert.deepEqual(keys(17, true), first.toSorted());
    assert.deepEqual(keys(18, true), always.toSorted());
    assert.deepEqual(keys(42, true), always.toSorted());
    assert.deepEqual(keys(43, true), [...always, "metadata"].sort());
    assert.deepEqual(keys(56, true), [...always, "metadata", "user_id"].sort());
    assert.deepEqual(keys(64, true), [...always, "metadata", "user_id", "encryption_key_id"].sort());
    assert.deepEqual(keys(70, false), [...always, "metadata", "user_id"].sort());
  });

  test("golden", () => {
    assert.deepEqual(renderBackupV3(sampleView(sampleDiskBackup(), { hasDependents: true }), v3, { minor: 0, explicitVersion: false }), {
      id: "55555555-5555-4555-8555-555555555555",
      status: "available",
      name: "nightly",
      description: "before the upgrade",
      links: [
        { href: "http://host/volume/v3/00000000000000000000000000000001/backups/55555555-5555-4555-8555-555555555555", rel: "self" },
        { href: "http://host/volume/00000000000000000000000000000001/backups/55555555-5555-4555-8555-555555555555", rel: "bookmark" },
      ],
      availability_zone: "az2",
      volume_id: "22222222-2222-4222-8222-222222222222",
      fail_reason: null,
      size: 20,
      object_count: 12,
      container: "p/00000000000000000000000000000001",
      created_at: "2030-01-02T03:04:05.000006",
      updated_at: "2030-01-02T03:09:00.120006",
      data_timestamp: "2030-01-02T03:04:06.500006",
      snapshot_id: "66666666-6666-4666-8666-666666666666",
      is_incremental: true,
      has_dependent_backups: true,
      "os-backup-project-attr:project_id": "00000000000000000000000000000001",
    });
  });

  test("a backup that holds nothing yet counts no object and tells its creation as its instant", () => {
    const body = renderBackupV3(sampleView(sampleDiskBackup({ status: "protecting", statistics: null, rootKey: null, protectedAt: null })), v3, {
      minor: 0,
      explicitVersion: false,
    });
    assert.equal(body.status, "creating");
    assert.equal(body.object_count, 0);
    assert.equal(body.container, null);
    assert.equal(body.data_timestamp, body.created_at);
  });
});
