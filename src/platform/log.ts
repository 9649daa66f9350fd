import { pino } from "pino";

/** Structured log: an event in words, and its facts as fields. Secrets never go in. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/** JSON lines on standard error, from `level` up. */
export function createLog(level: string): Log {
  return pino({ level, base: null, redact: ["password", "secret", "token", "*.password", "*.secret"] }, pino.destination({ dest: 2, sync: true }));
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };
