import assert from "node:assert/strict";

export type Dialect = "identity" | "cbr" | "cinder" | "vbs" | "opencbr";

const faultNames = new Set([
  "badRequest",
  "unauthorized",
  "forbidden",
  "itemNotFound",
  "badMethod",
  "conflictingRequest",
  "overLimit",
  "badMediaType",
  "notImplemented",
  "serviceUnavailable",
  "computeFault",
]);

/** What must never be told: where the code is, what it is made of. */
const insides = /\bat \S+ \(|node:|\.ts:|SQLITE|sqlite|\bundefined\b(?!\\?")|\[object /;

interface Answered {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function assertMessage(message: unknown, told: string): void {
  assert.ok(typeof message === "string" && message.length > 0 && message.length < 600, told);
  assert.doesNotMatch(message, insides, told);
}

/** Fails unless an error is told as its dialect tells errors, with the request's id. Either of cinder's and VBS's own shapes is right for VBS. */
export function assertErrorShape(dialect: Dialect, method: string, answer: Answered, told: string): void {
  assert.match(String(answer.headers["x-request-id"]), /^req-[0-9a-f-]{36}$/, told);
  assert.match(String(answer.headers["content-type"]), /^application\/json/, told);
  if (answer.status === 401) assert.match(String(answer.headers["www-authenticate"]), /^Keystone uri="/, told);
  if (method === "HEAD") return;
  const body = JSON.parse(answer.text) as Record<string, Record<string, unknown>>;
  if (dialect === "cbr" || dialect === "opencbr") {
    const { error_code: code, error_msg: message } = body as Record<string, unknown>;
    assert.match(String(code), /^(BackupService|APIGW)\.\d{4}$/, told);
    assertMessage(message, told);
    assert.equal("request_id" in body, String(code).startsWith("APIGW."), told);
    return;
  }
  const [name = "", ...others] = Object.keys(body);
  assert.deepEqual(others, [], told);
  const { code, message } = body[name] ?? {};
  assertMessage(message, told);
  if (dialect === "identity") assert.ok(name === "error" && typeof body["error"]?.["title"] === "string", told);
  else if (dialect === "vbs" && name === "error") {
    assert.match(String(code), /^(VolumeBackup|AutoBackup|common)\.\d{4}$/, told);
    return;
  } else assert.ok(faultNames.has(name), told);
  assert.equal(code, answer.status, told);
}

/** Fails when any answer, an error or not, lacks the request's id or tells of places on the machine. */
export function assertTellsNothing({ headers, text }: Answered, places: readonly string[], told: string): void {
  assert.match(String(headers["x-request-id"]), /^req-[0-9a-f-]{36}$/, told);
  for (const place of [...places, "node_modules", "node:internal"]) assert.ok(!text.includes(place), told);
}
