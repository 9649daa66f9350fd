/**
 * The table of doors: which room of src/ may import which, and why. `oxlint.config.ts` turns it into lint rules,
 * `tools/check-layers.ts` checks every import against it, docs/architecture.md draws it.
 */

/** What a room may take from another one. */
export interface Door {
  to: RoomName;
  /** Only `import type`: the room names shapes, the composition root hands over the parts. */
  typesOnly?: true;
}

export interface Room {
  /** What the room is for, in one line. */
  purpose: string;
  doors: readonly Door[];
  /** Why every other door is closed; ends in what to do instead. Part of each message. */
  reason: string;
  /** No package and no `node:` module either. */
  pure?: true;
  /** Whether its subfolders may be imported by those with an open door. Otherwise they are private. */
  publicFolders?: true;
  /** Of public subfolders those that only some may import, or nobody. */
  exceptFolders?: Readonly<Record<string, readonly RoomName[]>>;
}

export type RoomName = "platform" | "model" | "storage" | "sources" | "repository" | "catalog" | "services" | "worker" | "api" | "cli";

export const rooms: Readonly<Record<RoomName, Room>> = {
  platform: {
    purpose: "clock, random, log, threads: what every room may use",
    doors: [],
    reason: "platform is used by every room, so it uses none; move what knows about backups to the room that asks for it",
  },
  model: {
    purpose: "the nouns and their rules, pure",
    doors: [],
    pure: true,
    reason: "model is pure: no file, clock, socket or library; pass the value in, or move the code to services",
  },
  storage: {
    purpose: "objects under keys",
    doors: [{ to: "platform" }],
    reason: "storage keeps bytes under keys and knows nothing of chunks or backups; put the meaning into repository",
  },
  sources: {
    purpose: "what is read for a backup and written by a restore",
    doors: [{ to: "platform" }],
    reason: "sources reads and writes disks and knows nothing of chunks or projects; put the meaning into repository or services",
  },
  repository: {
    purpose: "chunks, packs, index, manifests, keys",
    doors: [{ to: "platform" }, { to: "storage" }, { to: "sources" }],
    reason: "repository works without a catalog (that is how a lost catalog is rebuilt); pass plain values in, and translate in services",
  },
  catalog: {
    purpose: "the metadata database",
    doors: [{ to: "platform" }, { to: "model" }],
    reason: "catalog keeps rows of the model's nouns and moves no data; a use case in services brings the two together",
  },
  services: {
    purpose: "use cases, one operation per file",
    doors: [{ to: "platform" }, { to: "model" }, { to: "catalog" }, { to: "repository" }, { to: "sources" }],
    reason: "services knows no dialect, no thread of control and no object store; return plain values, and let api or worker call you",
    publicFolders: true,
    exceptFolders: { runs: ["worker"], support: ["worker"] },
  },
  worker: {
    purpose: "scheduler, runner, recovery: who calls a use case when no client does",
    doors: [{ to: "platform" }, { to: "model" }, { to: "catalog" }, { to: "services" }],
    reason: "worker only decides when a use case runs; what it does belongs into services",
  },
  api: {
    purpose: "listener, authentication, dialects: translation",
    doors: [{ to: "platform" }, { to: "model" }, { to: "services" }, { to: "catalog", typesOnly: true }],
    reason: "api translates between HTTP and use cases; rows and bytes are reached through services",
  },
  cli: {
    purpose: "one command per file",
    doors: [
      { to: "platform" },
      { to: "model" },
      { to: "storage" },
      { to: "sources" },
      { to: "repository" },
      { to: "catalog" },
      { to: "services" },
      { to: "worker" },
    ],
    reason: "a command speaks HTTP like any client; only `serve` starts the service, through app.ts",
  },
};

export const roomNames = Object.keys(rooms) as RoomName[];

/** Files directly in src/: the composition root. They may import every room; only cli may import them. */
export const rootReaders: readonly RoomName[] = ["cli"];

/** Whether `to` may be imported from `from` at all, and how. A room may always import itself. */
export function doorBetween(from: RoomName, to: RoomName): "open" | "types" | "closed" {
  if (from === to) return "open";
  const door = rooms[from].doors.find((candidate) => candidate.to === to);
  if (door === undefined) return "closed";
  return door.typesOnly === true ? "types" : "open";
}

/** Whether `from` may import from the subfolder `folder` of `to`. */
export function folderIsPublic(from: RoomName, to: RoomName, folder: string): boolean {
  if (rooms[to].publicFolders !== true) return false;
  return rooms[to].exceptFolders?.[folder]?.includes(from) ?? true;
}

/** The message for a closed door, with its reason. */
export function closedDoorMessage(from: RoomName, to: string, typesOnly = false): string {
  const door = typesOnly ? `${from} may import only types from ${to}` : `${from} may not import ${to}`;
  return `${door}: ${rooms[from].reason}.`;
}
