import { CommandError } from "./errors.ts";

/** Where the service is and who asks: from `--endpoint` and the `OS_*` variables, else the development service. */
export interface Connection {
  /** Base URL without a slash at the end; the identity service answers at `/v3` below it. */
  baseUrl: string;
  userName: string;
  userDomainName: string;
  password: string;
  projectId: string | undefined;
  projectName: string;
  projectDomainName: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `--endpoint` wins over `OS_AUTH_URL`, of which `/v3` and `/identity/v3` at the end do not count. */
export function connectionOf(endpoint: string | undefined, environment: Environment): Connection {
  const given = endpoint ?? (environment["OS_AUTH_URL"] || "http://127.0.0.1:8799");
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandError(`${endpoint === undefined ? "OS_AUTH_URL" : "--endpoint"} must be an http or https URL, not "${given}"`, { exitCode: 2 });
  const value = (name: string, otherwise: string): string => environment[name] || otherwise;
  return {
    baseUrl: (url.origin + url.pathname)
      .replace(/\/+$/, "")
      .replace(/\/v3$/, "")
      .replace(/\/identity$/, ""),
    userName: value("OS_USERNAME", "demo"),
    userDomainName: value("OS_USER_DOMAIN_NAME", "Default"),
    password: value("OS_PASSWORD", "opencbr-demo"),
    projectId: environment["OS_PROJECT_ID"] || undefined,
    projectName: value("OS_PROJECT_NAME", "demo"),
    projectDomainName: value("OS_PROJECT_DOMAIN_NAME", "Default"),
  };
}

interface Sent {
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What the service refused, with its status. */
export class RefusedError extends CommandError {
  override readonly name = "RefusedError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A project's view of the service, over HTTP alone. A token that has run out is renewed once per request. */
export class Client {
  readonly connection: Connection;
  #token: string | undefined;
  #projectId: string | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** A token scoped to the project, and the project's id. */
  async login(): Promise<{ token: string; projectId: string; expiresAt: string }> {
    const { userName, userDomainName, password, projectId, projectName, projectDomainName } = this.connection;
    const project = projectId === undefined ? { name: projectName, domain: { name: projectDomainName } } : { id: projectId };
    const user = { name: userName, password, domain: { name: userDomainName } };
    this.#token = undefined;
    const answer = await this.#exchange({
      method: "POST",
      path: "/v3/auth/tokens",
      body: { auth: { identity: { methods: ["password"], password: { user } }, scope: { project } } },
    });
    if (!answer.ok) throw await refusal(answer, `log in as "${userName}"`);
    const body = (await answer.json()) as { token: { project: { id: string }; expires_at: string } };
    const token = answer.headers.get("x-subject-token");
    if (token === null) throw new CommandError(`${this.connection.baseUrl} answered the log-in without a token: is it OpenCBR?`);
    this.#token = token;
    this.#projectId = body.token.project.id;
    return { token, projectId: this.#projectId, expiresAt: body.token.expires_at };
  }

  /** CBR v3. Paths of this and the next three are relative to the project. */
  cbr<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#json<T>("/v3", { method, path, body });
  }
  /** Block Storage v3. */
  volume<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
    return this.#json<T>("/volume/v3", { method, path, body, headers });
  }
  /** VBS v2. */
  vbs<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#json<T>("/volume/v2", { method, path, body });
  }
  /** OpenCBR's own extension. */
  own<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#json<T>("/opencbr/v1", { method, path, body });
  }

  /** Identity: paths are relative to the service, below no project. */
  identity<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#json<T>(undefined, { method, path, body });
  }

  /** Writes one piece into a volume. */
  async writePiece(volumeId: string, offset: number, bytes: Uint8Array, volumeBytes: number): Promise<void> {
    const range = `bytes ${offset}-${offset + bytes.length - 1}/${volumeBytes}`;
    await this.#json("/opencbr/v1", { method: "PUT", path: `volumes/${volumeId}/data`, body: bytes, headers: { "content-range": range } });
  }

  /** Reads one piece of a volume or of a backup: `path` is `volumes/ID/data` or `backups/ID/data`. */
  async readPiece(path: string, offset: number, length: number): Promise<Uint8Array> {
    const answer = await this.#send("/opencbr/v1", { method: "GET", path, headers: { range: `bytes=${offset}-${offset + length - 1}` } });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes.length !== length) throw new CommandError(`asked for ${length} bytes of ${path} at ${offset}, got ${bytes.length}`);
    return bytes;
  }

  async #json<T>(prefix: string | undefined, sent: Sent): Promise<T> {
    const answer = await this.#send(prefix, sent);
    const text = await answer.text();
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** Without a prefix the path stands by itself; with one it is below the project. */
  async #send(prefix: string | undefined, sent: Sent): Promise<Response> {
    if (this.#token === undefined) await this.login();
    const exchange = (): Promise<Response> =>
      this.#exchange({ ...sent, path: prefix === undefined ? `/${sent.path}` : `${prefix}/${this.#projectId}/${sent.path}` });
    let answer = await exchange();
    if (answer.status === 401) {
      await this.login();
      answer = await exchange();
    }
    if (!answer.ok) throw await refusal(answer, `${sent.method} ${sent.path}`);
    return answer;
  }

  async #exchange({ method, path, body, headers }: Sent): Promise<Response> {
    const isBytes = body instanceof Uint8Array;
    const type = body === undefined ? {} : { "content-type": isBytes ? "application/octet-stream" : "application/json" };
    const token = this.#token === undefined ? {} : { "x-auth-token": this.#token };
    const init: RequestInit = { method, headers: { accept: "application/json", ...type, ...token, ...headers } };
    if (body !== undefined) init.body = isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body);
    try {
      return await fetch(this.connection.baseUrl + path, init);
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new CommandError(`${this.connection.baseUrl} cannot be reached (${reason}). Is the service running? Start it with: npm start -- --dev`, {
        cause: error,
      });
    }
  }
}

/** The service's own words about a refusal, whichever dialect they are in. */
async function refusal(answer: Response, what: string): Promise<RefusedError> {
  const text = await answer.text();
  return new RefusedError(
    answer.status,
    `${what} was refused with ${answer.status}: ${messageIn(text) ?? (text.slice(0, 300) || answer.statusText)}`,
  );
}

function messageIn(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null) return undefined;
  const flat = body as Record<string, unknown>;
  if (typeof flat["error_msg"] === "string") return `${flat["error_msg"]} (${String(flat["error_code"])})`;
  for (const inner of Object.values(flat)) {
    const message = (inner as Record<string, unknown> | null)?.["message"];
    if (typeof message === "string") return message;
  }
  return undefined;
}
