import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readSettings, settingRows, SettingsError } from "./config.ts";

test("defaults are valid, and flags win over variables", () => {
  const { settings, warnings } = readSettings({}, {});
  assert.equal(settings.port, 8799);
  assert.equal(settings.host, "127.0.0.1");
  assert.equal(settings.data, resolve("./data"));
  assert.equal(settings.publicUrl, undefined);
  assert.deepEqual(settings.sourceRoots, []);
  assert.deepEqual(warnings, []);
  const given = readSettings(
    { port: "1" },
    { OPENCBR_PORT: "2", OPENCBR_DATA: "/d", OPENCBR_DEV: "yes", OPENCBR_SOURCE_ROOTS: "/a:/b/../c" },
  ).settings;
  assert.equal(given.port, 1);
  assert.equal(given.data, "/d");
  assert.equal(given.dev, true);
  assert.deepEqual(given.sourceRoots, ["/a", "/c"]);
  assert.equal(settings.expiryHours, undefined);
  assert.deepEqual(readSettings({ expiryHours: "08:30-20:00" }, {}).settings.expiryHours, { from: 510, to: 1200 });
  for (const wrong of ["8:00-20:00", "08:00-24:00", "08:00-08:00", "08:00"]) {
    assert.throws(() => readSettings({ expiryHours: wrong }, {}), /--expiry-hours must be two different times of day/);
  }
});

test("an empty variable counts as not set", () => {
  assert.equal(readSettings({}, { OPENCBR_PORT: "" }).settings.port, 8799);
});

test("every wrong setting is named with how it was given and what is right", () => {
  assert.throws(
    () => readSettings({ port: "70000", chunkKib: "300" }, { OPENCBR_LOG_LEVEL: "loud", OPENCBR_PUBLIC_URL: "ftp://x", OPENCBR_SOURCE_ROOTS: "rel" }),
    (error: unknown) => {
      assert.ok(error instanceof SettingsError);
      assert.match(error.message, /--port must be a whole number from 0 to 65535, not "70000"/);
      assert.match(error.message, /--chunk-kib .*a power of two, not "300"/);
      assert.match(error.message, /OPENCBR_LOG_LEVEL must be one of silent, error/);
      assert.match(error.message, /OPENCBR_PUBLIC_URL must be an http or https URL/);
      assert.match(error.message, /OPENCBR_SOURCE_ROOTS must be absolute paths; "rel" is not/);
      return true;
    },
  );
  assert.throws(() => readSettings({ vaultMinGib: "20", vaultMaxGib: "10" }, {}), /--vault-min-gib must not be larger/);
});

test("an unknown OPENCBR_ variable is a warning", () => {
  assert.deepEqual(readSettings({}, { OPENCBR_PROT: "1", OS_USERNAME: "x" }).warnings, [
    "The variable OPENCBR_PROT is no setting of OpenCBR and is ignored.",
  ]);
});

test("any text for any setting is either understood or refused by name", () => {
  fc.assert(
    fc.property(fc.constantFrom(...settingRows), fc.string({ unit: "binary", minLength: 1 }), (row, text) => {
      try {
        readSettings({ [row.name]: text }, {});
      } catch (error) {
        assert.ok(error instanceof SettingsError, String(error));
        assert.ok(error.message.startsWith(row.flag), error.message);
      }
    }),
  );
});

test("flags and variables are distinct and documented", () => {
  assert.ok(settingRows.length >= 20);
  assert.equal(new Set(settingRows.map((row) => row.flag)).size, settingRows.length);
  for (const row of settingRows) assert.match(row.doc, /\.$/, row.name);
});
