import type { CatalogErrorCode } from "#catalog/errors.ts";
import { DomainError, errorKinds, type ErrorKind } from "#model/errors.ts";
import { HttpFailure } from "./failure.ts";
import type { DialectName } from "./route.ts";

export interface RenderedError {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: object;
  /** `BackupService.NNNN` or the gateway's, whatever the dialect writes: for the audit log. */
  code: string;
  /** Set when it is a defect of ours or of the machine: to be logged, never told. */
  defect: unknown;
}

/** Block Storage's name of a fault, by status. */
const faultNames: Readonly<Record<number, string>> = {
  400: "badRequest",
  401: "unauthorized",
  403: "forbidden",
  404: "itemNotFound",
  405: "badMethod",
  409: "conflictingRequest",
  413: "overLimit",
  415: "badMediaType",
  429: "overLimit",
  501: "notImplemented",
  503: "serviceUnavailable",
};

/** Keystone's title, by status. */
const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Request Entity Too Large",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

interface Failure {
  status: number;
  message: string;
  /** `BackupService.NNNN` or the gateway's. */
  code: string;
  isGateway: boolean;
  vbs: string;
  headers: Readonly<Record<string, string>>;
  defect: unknown;
}

const vbsCodes: Readonly<Record<number, string>> = { 401: "AutoBackup.0002", 403: "VolumeBackup.0042", 404: "common.0011", 500: "VolumeBackup.0900" };

/** The catalog's disk is full; the statement, or its whole transaction, was rolled back. */
function isCatalogFull(error: unknown): boolean {
  const noSpace: CatalogErrorCode = "noSpace";
  return error instanceof Error && error.name === "CatalogError" && "code" in error && error.code === noSpace;
}

function understand(error: unknown): Failure {
  if (error instanceof DomainError && error.code !== "internal") {
    const kind: ErrorKind = errorKinds[error.code];
    const vbs = kind.vbs ?? "VolumeBackup.0002";
    return { status: kind.status, message: error.message, code: kind.cbr, isGateway: false, vbs, headers: {}, defect: undefined };
  }
  if (error instanceof HttpFailure) {
    const { status, message, headers, gatewayCode } = error;
    const vbs = vbsCodes[status] ?? "VolumeBackup.0002";
    const code = gatewayCode ?? errorKinds.invalidRequest.cbr;
    return { status, message, code, isGateway: gatewayCode !== undefined, vbs, headers, defect: status >= 500 ? (error.cause ?? error) : undefined };
  }
  if (isCatalogFull(error)) {
    const { status, cbr } = errorKinds.storageFull;
    const message = "There is no space left for the catalog: nothing was changed.";
    return { status, message, code: cbr, isGateway: false, vbs: errorKinds.internal.vbs, headers: {}, defect: error };
  }
  const { status, cbr, vbs } = errorKinds.internal;
  return {
    status,
    message: "The service failed. Its log has the details under the request id.",
    code: cbr,
    isGateway: false,
    vbs,
    headers: {},
    defect: error,
  };
}

/** The error in the dialect's own body. Anything but a {@link DomainError} or an {@link HttpFailure} is a defect: a plain 500 that tells nothing. */
export function renderError(dialect: DialectName, error: unknown, requestId: string, ownErrors = false): RenderedError {
  const failure = understand(error);
  const { status, headers, code, defect } = failure;
  const message = failure.message === "" ? (titles[status] ?? "Request refused") : failure.message;
  return { status, headers, code, defect, body: bodyOf(dialect, { ...failure, message }, requestId, ownErrors) };
}

function bodyOf(dialect: DialectName, { status, code, message, isGateway, vbs, headers }: Failure, requestId: string, ownErrors: boolean): object {
  switch (dialect) {
    case "identity":
      return { error: { code: status, title: titles[status] ?? "Error", message } };
    case "cbr":
    case "opencbr":
      return isGateway ? { error_code: code, error_msg: message, request_id: requestId } : { error_code: code, error_msg: message };
    case "vbs":
    case "cinder": {
      if (ownErrors) return { error: { code: vbs, message } };
      const retryAfter = headers["retry-after"];
      const fault = retryAfter === undefined ? { code: status, message } : { code: status, message, retryAfter };
      return { [faultNames[status] ?? "computeFault"]: fault };
    }
  }
}
