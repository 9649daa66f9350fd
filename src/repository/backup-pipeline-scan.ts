import type { Random } from "#platform/random.ts";
import type { Manifest } from "./backup-pipeline-manifest.ts";
import type { PageState } from "./backup-pipeline-page.ts";
import type { RepositoryReader } from "./engine-reader.ts";
import type { ChunkIndex } from "./index.ts";
import type { TenantKeys } from "./keys.ts";
import type { BackupSession } from "./session.ts";

/** What a run lends to whoever decides what is read: pages are opened, their chunks sent, and closed. */
export interface ScanRun {
  index: ChunkIndex;
  reader: RepositoryReader;
  random: Random;
  tenant: string;
  keys: TenantKeys;
  session: BackupSession;
  manifest: Manifest;
  /** Bytes; what is sent counts itself. */
  count: { readBytes: number; dataBytes: number; unchangedBytes: number; deduplicatedBytes: number };
  /** `parent`: the flat page at this place in what the backup is compared with. */
  open(page: number, parent: Uint8Array | undefined): Promise<PageState>;
  /** At most a segment. `bytes`: the chunks themselves, where no lane can read them. */
  send(page: PageState, chunks: Float64Array, bytes?: Uint8Array): Promise<void>;
  /** Nothing more will be sent of the page. */
  close(page: PageState): void;
  /** For the progress: so many bytes in all, and so many that are settled without being sent. */
  expect(bytes: number): void;
  settled(bytes: number): void;
}
