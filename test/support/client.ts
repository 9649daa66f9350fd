import assert from "node:assert/strict";
import { answerChecker, type CheckAnswer, type Description } from "./answers.ts";
import { setTimeout as delay } from "node:timers/promises";

/** What a black-box test knows of a running dev service: its address and the documented accounts. */
export const devProjectId = "0de0de0de0de0de0de0de0de0de0de00";
export const devAccessKey = "DEVACCESSKEY00000001";
export const devSecretKey = "devsecretkey000000000000000000000000000001";

export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed where the answer is JSON, else undefined. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a black-box test looks into bodies of any shape
  body: any;
}

const checkers = new Map<string, Promise<CheckAnswer>>();

/** Every answer is held against the description that the service gives of itself. */
function checkerOf(baseUrl: string): Promise<CheckAnswer> {
  let checker = checkers.get(baseUrl);
  if (checker === undefined) {
    const described = async () => answerChecker((await (await fetch(`${baseUrl}/openapi.json`)).json()) as Description);
    checkers.set(baseUrl, (checker = described()));
  }
  return checker;
}

/** A client of one project: plain HTTP, nothing of ours behind it. */
export class Client {
  readonly baseUrl: string;
  readonly projectId: string;
  readonly token: string;

  private constructor(baseUrl: string, projectId: string, token: string) {
    this.baseUrl = baseUrl;
    this.projectId = projectId;
    this.token = token;
  }

  static async login(baseUrl: string, user = "demo", password = "opencbr-demo", projectId = devProjectId): Promise<Client> {
    const answer = await fetch(`${baseUrl}/v3/auth/tokens`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        auth: {
          identity: { methods: ["password"], password: { user: { name: user, password, domain: { name: "Default" } } } },
          scope: { project: { id: projectId } },
        },
      }),
    });
    assert.equal(answer.status, 201, await answer.text());
    return new Client(baseUrl, projectId, answer.headers.get("x-subject-token") ?? "");
  }

  /** `path` after the project id for the three dialects, or absolute from `/` for anything else. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const isBytes = body instanceof Uint8Array;
    const answer = await fetch(this.baseUrl + path, {
      method,
      headers: {
        "x-auth-token": this.token,
        ...(body === undefined ? {} : { "content-type": isBytes ? "application/octet-stream" : "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true && text !== "";
    const told = isJson ? JSON.parse(text) : undefined;
    if (method !== "HEAD") (await checkerOf(this.baseUrl))(method, path, answer.status, told);
    return { status: answer.status, headers: answer.headers, body: told };
  }

  /** As {@link call}, and fails the test unless the status is 2xx. */
  // oxlint-disable-next-line typescript/no-explicit-any -- see Answer
  async ok(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<any> {
    const answer = await this.call(method, path, body, headers);
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  cbr(method: string, path: string, body?: unknown): Promise<any> {
    return this.ok(method, `/v3/${this.projectId}/${path}`, body);
  }
  volume(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<any> {
    return this.ok(method, `/volume/v3/${this.projectId}/${path}`, body, headers);
  }
  vbs(method: string, path: string, body?: unknown): Promise<any> {
    return this.ok(method, `/volume/v2/${this.projectId}/${path}`, body);
  }
  own(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<any> {
    return this.ok(method, `/opencbr/v1/${this.projectId}/${path}`, body, headers);
  }

  async newVolume(name: string, sizeGib = 1, more: Record<string, unknown> = {}): Promise<string> {
    const { volume } = await this.volume("POST", "volumes", { volume: { name, size: sizeGib, ...more } });
    await this.until(`volume ${name}`, async () => {
      const shown = (await this.volume("GET", `volumes/${volume.id}`)).volume;
      assert.ok(!String(shown.status).startsWith("error"), `volume ${name}: ${shown.status}`);
      return shown.status === "available" ? true : undefined;
    });
    return volume.id;
  }

  /** Writes bytes into an idle volume, in pieces of at most 8 MiB. */
  async write(volumeId: string, offset: number, bytes: Uint8Array, volumeBytes: number): Promise<void> {
    const piece = 8 * 1024 * 1024;
    for (let at = 0; at < bytes.length; at += piece) {
      const part = bytes.subarray(at, at + piece);
      const from = offset + at;
      await this.own("PUT", `volumes/${volumeId}/data`, part, {
        "content-range": `bytes ${from}-${from + part.length - 1}/${volumeBytes}`,
      });
    }
  }

  async read(path: string, offset: number, length: number): Promise<Uint8Array> {
    const answer = await fetch(`${this.baseUrl}/opencbr/v1/${this.projectId}/${path}`, {
      headers: { "x-auth-token": this.token, range: `bytes=${offset}-${offset + length - 1}` },
    });
    assert.equal(answer.status, 206, await answer.clone().text());
    return new Uint8Array(await answer.arrayBuffer());
  }

  async newVault(name: string, objectType: "disk" | "server" = "disk", sizeGib = 1000): Promise<string> {
    const { vault } = await this.cbr("POST", "vaults", {
      vault: {
        name,
        resources: [],
        billing: { size: sizeGib, object_type: objectType, protect_type: "backup", consistent_level: "crash_consistent", cloud_type: "public" },
      },
    });
    return vault.id;
  }

  bind(vaultId: string, id: string, type = "OS::Cinder::Volume"): Promise<unknown> {
    return this.cbr("POST", `vaults/${vaultId}/addresources`, { resources: [{ id, type }] });
  }

  /** Runs a restore point to its end and gives its backups, top-level ones. */
  async checkpoint(vaultId: string, parameters: Record<string, unknown> = {}): Promise<any[]> {
    const { checkpoint } = await this.cbr("POST", "checkpoints", { checkpoint: { vault_id: vaultId, parameters } });
    await this.until("restore point", async () => {
      const shown = (await this.cbr("GET", `checkpoints/${checkpoint.id}`)).checkpoint;
      return shown.status === "protecting" ? undefined : shown;
    });
    const { backups } = await this.cbr("GET", `backups?checkpoint_id=${checkpoint.id}`);
    return Promise.all(backups.map((backup: { id: string }) => this.backup(backup.id)));
  }

  async backup(id: string): Promise<any> {
    return (await this.cbr("GET", `backups/${id}`)).backup;
  }

  async task(id: string): Promise<any> {
    return (await this.cbr("GET", `operation-logs/${id}`)).operation_log;
  }

  /** Waits until the task is over and gives it. */
  taskEnd(id: string): Promise<any> {
    return this.until(`task ${id}`, async () => {
      const task = await this.task(id);
      return ["waiting", "running"].includes(task.status) ? undefined : task;
    });
  }

  /** Asks again until there is an answer, every `everyMs`; fails the test after `seconds`. */
  async until<T>(what: string, ask: () => Promise<T | undefined>, seconds = 60, everyMs = 50): Promise<T> {
    for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; await delay(everyMs)) {
      const answer = await ask();
      if (answer !== undefined) return answer;
    }
    assert.fail(`gave up waiting for ${what}`);
  }
}
