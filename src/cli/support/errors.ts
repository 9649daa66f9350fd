/** A command that cannot do what was asked; the message is all that the user sees. Exit code 1, or 2 for wrong usage. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
  readonly exitCode: 1 | 2;

  constructor(message: string, options?: { exitCode?: 1 | 2; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options?.exitCode ?? 1;
  }
}
