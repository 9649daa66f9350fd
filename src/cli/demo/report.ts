import { formatBytes, formatTable } from "../support/format.ts";

/** What one run measured, as the service tells it. */
export interface RunFigures {
  read_bytes: number;
  data_bytes: number;
  new_bytes: number;
  stored_bytes: number;
  duration_ms: number;
}

export interface BackupReport {
  id: string;
  incremental: boolean;
  figures: RunFigures;
}

export interface RestoreReport {
  backup_id: string;
  volume_id: string;
  bytes: number;
  seconds: number;
  /** SHA-256 of the whole volume, and what it was when it was backed up. */
  sha256: string;
  expected_sha256: string;
  equal: boolean;
}

export interface DemoReport {
  service: { url: string; private: boolean };
  image: { origin: string; size_bytes: number; data_bytes: number; changed_bytes: number; changed_places: number };
  backups: BackupReport[];
  /** ShowBackup of the second backup, as each dialect answers it. */
  show_backup: { cbr: object; vbs3: object; vbs2: object };
  restores: RestoreReport[];
  equal: boolean;
}

const rate = (bytes: number, seconds: number): string => (seconds > 0 ? (bytes / 1e6 / seconds).toFixed(0) : "-");

/** The small table at the end of the demo. */
export function formatReport(report: DemoReport): string {
  const backups = report.backups.map(({ incremental, figures }, n) => [
    `backup ${n + 1}, ${incremental ? "incremental" : "full"}`,
    formatBytes(figures.read_bytes),
    formatBytes(figures.new_bytes),
    formatBytes(figures.stored_bytes),
    figures.stored_bytes > 0 ? `${(figures.data_bytes / figures.stored_bytes).toFixed(1)} : 1` : "-",
    rate(figures.read_bytes, figures.duration_ms / 1000),
    (figures.duration_ms / 1000).toFixed(2),
    "",
  ]);
  const restores = report.restores.map((restore, n) => [
    `restore ${n + 1}`,
    formatBytes(restore.bytes),
    "",
    "",
    "",
    rate(restore.bytes, restore.seconds),
    restore.seconds.toFixed(2),
    restore.equal ? "same SHA-256" : "DIFFERENT",
  ]);
  return formatTable(["run", "bytes", "new", "stored", "data : stored", "MB/s", "seconds", "compared"], [...backups, ...restores]);
}
