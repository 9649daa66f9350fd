import { createHmac } from "node:crypto";

/**
 * The value of `X-OpenCBR-Signature`: `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256, under the webhook's secret, of the seconds, a dot and the
 * body as sent. Whoever receives it refuses an old `t`, so that nobody sends it again.
 */
export function signDelivery(secret: string, atSeconds: number, body: string): string {
  const mac = createHmac("sha256", secret).update(`${atSeconds}.${body}`, "utf8").digest("hex");
  return `t=${atSeconds},v1=${mac}`;
}
