/** What can be wrong with the catalog's database, in stable words. */
export type CatalogErrorCode =
  | "notADatabase"
  | "newerSchema"
  | "cannotOpen"
  | "readOnly"
  | "noSpace"
  | "locked"
  | "corrupt"
  | "ioFailed"
  | "constraint"
  | "closed";

/** The database refused. A statement that failed so changed nothing; a transaction that failed so is rolled back. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
  readonly code: CatalogErrorCode;

  constructor(code: CatalogErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
