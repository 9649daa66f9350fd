import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import type { Caller } from "#model/caller.ts";
import type { TagCondition, TagFilter } from "#model/tag-filter.ts";
import type { Tag } from "#model/vault.ts";
import { createVault } from "../vaults/createVault.ts";
import { deleteVault } from "../vaults/deleteVault.ts";
import { makeWorld, type World } from "../../../test/support/world.ts";
import { batchCreateAndDeleteVaultTags } from "./batchCreateAndDeleteVaultTags.ts";
import { createVaultTags } from "./createVaultTags.ts";
import { deleteVaultTag } from "./deleteVaultTag.ts";
import { showVaultProjectTag } from "./showVaultProjectTag.ts";
import { showVaultResourceInstances } from "./showVaultResourceInstances.ts";
import { showVaultTag } from "./showVaultTag.ts";

let world: World;
before(async () => {
  world = await makeWorld();
});
after(() => world.close());

async function newVault(caller: Caller, tags: Tag[] = [], name = "v", objectType: "disk" | "server" = "disk"): Promise<string> {
  const kinds = { protectType: "backup", consistentLevel: "crash_consistent" } as const;
  return (await createVault(world.context, caller, { name, sizeGib: 1, objectType, ...kinds, resources: [], tags })).vault.id;
}

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

test("a tag is set, set again and removed; the vault's time of change moves", async () => {
  const { context } = world;
  const caller = await world.newCaller();
  const vaultId = await newVault(caller, [{ key: "a", value: "1" }]);
  await createVaultTags(context, caller, { vaultId, tag: { key: " b ", value: " 2 " } });
  await createVaultTags(context, caller, { vaultId, tag: { key: "a", value: null } });
  const expected = [
    { key: "a", value: null },
    { key: "b", value: "2" },
  ];
  assert.deepEqual(await showVaultTag(context, caller, { vaultId }), expected);
  assert.ok((await world.catalog.vaults.get(caller.projectId, vaultId))!.updatedAt);
  await deleteVaultTag(context, caller, { vaultId, key: " a " });
  await assert.rejects(deleteVaultTag(context, caller, { vaultId, key: "a" }), code("tagNotFound"));
  assert.deepEqual(await showVaultTag(context, caller, { vaultId }), expected.slice(1));
});

test("a batch is all or nothing, overwrites, and passes over what is not there", async () => {
  const { context } = world;
  const caller = await world.newCaller();
  const vaultId = await newVault(caller, [{ key: "a", value: "1" }]);
  const batch = (action: "create" | "delete", tags: Tag[]) => batchCreateAndDeleteVaultTags(context, caller, { vaultId, action, tags });
  const many = Array.from({ length: 19 }, (_, i) => ({ key: `k${i}`, value: "x" }));
  await batch("create", [{ key: "a", value: "2" }, ...many]);
  await assert.rejects(batch("create", [{ key: "one-too-many", value: null }]), code("tagQuotaReached"));
  await batch("create", [{ key: "a", value: "3" }]);
  await assert.rejects(
    batch("create", [
      { key: "b", value: "" },
      { key: "b", value: "" },
    ]),
    code("invalidRequest"),
  );
  await assert.rejects(batch("create", [{ key: "b", value: "a=b" }]), code("invalidRequest"));
  await assert.rejects(batch("create", []), code("invalidRequest"));
  const before = await showVaultTag(context, caller, { vaultId });
  assert.deepEqual([before.length, before[0]], [20, { key: "a", value: "3" }]);
  await batch("delete", [
    { key: "a", value: "not this" },
    { key: "k1", value: "x" },
    { key: "k1", value: null },
    { key: "k2", value: "" },
    { key: "not=there", value: null },
  ]);
  const left = await showVaultTag(context, caller, { vaultId });
  assert.deepEqual(
    left.map(({ key }) => key).toSorted(),
    before
      .map(({ key }) => key)
      .filter((key) => key !== "k1" && key !== "k2")
      .toSorted(),
  );
});

test("tags of a foreign vault, and of one being deleted, are out of reach", async () => {
  const { context } = world;
  const [caller, stranger] = [await world.newCaller(), await world.newCaller()];
  const vaultId = await newVault(caller, [{ key: "a", value: "1" }]);
  const tag = { key: "b", value: "2" };
  await assert.rejects(showVaultTag(context, stranger, { vaultId }), code("vaultNotFound"));
  await assert.rejects(createVaultTags(context, stranger, { vaultId, tag }), code("vaultNotFound"));
  await assert.rejects(deleteVaultTag(context, stranger, { vaultId, key: "a" }), code("vaultNotFound"));
  assert.deepEqual(await showVaultProjectTag(context, stranger), []);
  await deleteVault(context, caller, { vaultId });
  await assert.rejects(createVaultTags(context, caller, { vaultId, tag }), code("vaultStatusForbids"));
});

test("a project's tags are its vaults', keys and values in order", async () => {
  const caller = await world.newCaller();
  await newVault(caller, [
    { key: "b", value: "2" },
    { key: "a", value: null },
  ]);
  await newVault(caller, [{ key: "b", value: "1" }]);
  await newVault(caller, [{ key: "b", value: "2" }]);
  assert.deepEqual(await showVaultProjectTag(world.context, caller), [
    { key: "a", values: [""] },
    { key: "b", values: ["1", "2"] },
  ]);
});

const keys = ["a", "b", "c"];
const texts = ["", "x", "y", "xy", "X"];
const tagSet = fc
  .dictionary(fc.constantFrom(...keys), fc.constantFrom(...texts, null))
  .map((set) => Object.entries(set).map(([key, value]) => ({ key, value })));
const condition: fc.Arbitrary<TagCondition> = fc.record({
  key: fc.constantFrom(...keys, "absent"),
  values: fc.uniqueArray(fc.constantFrom(...texts, "*", "*x", "*y", "*xy"), { maxLength: 2 }),
});
const conditions = fc.option(fc.uniqueArray(condition, { maxLength: 3, selector: ({ key }) => key }), { nil: undefined });

/** What the published text says, word for word and with no cleverness: the naive oracle. */
function oracle(tags: readonly Tag[], filter: TagFilter): boolean {
  if (filter.withoutAnyTag) return tags.length === 0;
  const matching = ({ key, values }: TagCondition): boolean => {
    let found = false;
    for (const tag of tags) {
      if (tag.key !== key) continue;
      const value = tag.value === null ? "" : tag.value;
      if (values.length === 0) found = true;
      for (const wanted of values) {
        if (wanted.charAt(0) === "*") {
          if (value.split(wanted.slice(1)).length > 1 || wanted === "*") found = true;
        } else if (value === wanted) found = true;
      }
    }
    return found;
  };
  const number = (list: TagCondition[] | undefined): [number, number] => [(list ?? []).filter(matching).length, (list ?? []).length];
  const [all, ofAll] = number(filter.tags);
  const [any, ofAny] = number(filter.tagsAny);
  const [none, ofNone] = number(filter.notTags);
  const [never, ofNever] = number(filter.notTagsAny);
  if (ofAll > 0 && all < ofAll) return false;
  if (ofAny > 0 && any === 0) return false;
  if (ofNone > 0 && none === ofNone) return false;
  return ofNever === 0 || never === 0;
}

test("filters pick what a naive reading of the published text picks, page after page", async () => {
  const caller = await world.newCaller();
  const made: { id: string; tags: Tag[]; name: string; objectType: "disk" | "server" }[] = [];
  for (const [index, tags] of fc.sample(tagSet, { numRuns: 60, seed: 7 }).entries()) {
    const name = index % 3 === 0 ? `Web-${index}` : `db-${index}`;
    const objectType = index % 2 === 0 ? "disk" : "server";
    made.push({ id: await newVault(caller, tags, name, objectType), tags, name, objectType });
  }
  await newVault(await world.newCaller(), [{ key: "a", value: "x" }]);
  const filters = fc.record({
    tags: conditions,
    tagsAny: conditions,
    notTags: conditions,
    notTagsAny: conditions,
    withoutAnyTag: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    nameContains: fc.option(fc.constantFrom("", "web", "WEB-1", "-", "none"), { nil: undefined }),
    objectType: fc.option(fc.constantFrom("disk" as const, "server" as const), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 25 }), async (wanted, limit) => {
      const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as Parameters<
        typeof showVaultResourceInstances
      >[2]["filter"];
      const expected = made.filter(
        (vault) =>
          oracle(vault.tags, filter) &&
          (filter.objectType === undefined || vault.objectType === filter.objectType) &&
          (filter.nameContains === undefined || (filter.nameContains !== "" && vault.name.toLowerCase().includes(filter.nameContains.toLowerCase()))),
      );
      const { items: nothing, count } = await showVaultResourceInstances(world.context, caller, { filter });
      assert.deepEqual([nothing, count], [[], expected.length]);
      const found: string[] = [];
      for (let offset = 0; ; offset += limit) {
        const page = await showVaultResourceInstances(world.context, caller, { filter, page: { limit, offset } });
        assert.equal(page.count, expected.length);
        assert.ok(page.items.length <= limit);
        found.push(...page.items.map(({ vault }) => vault.id));
        if (page.items.length === 0) break;
      }
      assert.deepEqual(found.toSorted(), expected.map(({ id }) => id).toSorted());
    }),
    { numRuns: 150 },
  );
});
