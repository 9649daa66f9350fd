/**
 * What goes wrong before or beside a use case, in HTTP's own terms. `gatewayCode` is what the cloud's gateway calls it, for the dialects behind one.
 */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
  readonly status: number;
  readonly gatewayCode: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, options: { gatewayCode?: string; headers?: Record<string, string>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.gatewayCode = options.gatewayCode;
    this.headers = options.headers ?? {};
  }
}

/** No, or no valid, proof of who is asking. Clients log in again on it. */
export const unauthenticated = (reason: string): HttpFailure =>
  new HttpFailure(401, `Incorrect IAM authentication information: ${reason}`, { gatewayCode: "APIGW.0301" });

export const malformed = (message: string, cause?: unknown): HttpFailure => new HttpFailure(400, message, { gatewayCode: "APIGW.0201", cause });
