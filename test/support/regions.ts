import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { devProjectId } from "./client.ts";
import { startService } from "./service.ts";
import type { Service } from "./service.ts";

/** A wire between two regions that counts what passes, and can cut it, hold it or damage it. */
export interface Wire {
  url: string;
  /** Where it leads; undefined = nobody answers. */
  target: string | undefined;
  /** Bytes of the answers that carried pieces of backups. */
  offeredBytes: number;
  /** Answers with chunks that may still pass; then they are held until more may. */
  chunkAnswers: number;
  /** Changes a byte of every answer with chunks. */
  damaging: boolean;
  close(): Promise<void>;
}

export async function openWire(): Promise<Wire> {
  const server: Server = createServer((request, response) => {
    const pass = (): void => {
      const target = wire.target;
      if (target === undefined) {
        response.destroy();
        return;
      }
      const forwarded = httpRequest(target + request.url, { method: request.method, headers: request.headers }, (answer) => relay(answer));
      forwarded.on("error", () => response.destroy());
      request.pipe(forwarded);
    };
    const relay = (answer: IncomingMessage): void => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", () => response.destroy());
      answer.on("end", () => {
        const body = Buffer.concat(parts);
        if (isOffer) wire.offeredBytes += body.length;
        if (isChunks && wire.damaging) body[body.length - 7]! ^= 1;
        response.writeHead(answer.statusCode ?? 502, answer.headers).end(body);
      });
    };
    const isOffer = request.url?.includes("/offers/") === true;
    const isChunks = isOffer && request.url?.endsWith("/chunks") === true;
    const wait = (): void => {
      if (response.destroyed || request.destroyed) return;
      if (isChunks && wire.chunkAnswers <= 0) {
        setTimeout(wait, 20);
        return;
      }
      if (isChunks) wire.chunkAnswers--;
      pass();
    };
    wait();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const wire: Wire = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: undefined,
    offeredBytes: 0,
    chunkAnswers: Number.POSITIVE_INFINITY,
    damaging: false,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return wire;
}

export const regionSecret = "a secret of two regions, long enough to be one";

export interface Region {
  name: string;
  /** How the other regions reach it. */
  wire: Wire;
  service: Service;
  start(): Promise<void>;
  /** As a crash would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Two services, each with a store and keys of its own, that copy the development project into each other. */
export async function startRegions(folder: string, names = ["east", "west"]): Promise<Region[]> {
  const wires = await Promise.all(names.map(() => openWire()));
  const regions = names.map((name, at): Region => {
    const own = join(folder, name);
    mkdirSync(own);
    writeFileSync(join(own, "secret"), regionSecret);
    const peers = names.flatMap((other, n) =>
      n === at ? [] : [{ region: other, url: wires[n]!.url, secretFile: "secret", accept: [{ from: devProjectId, into: devProjectId }] }],
    );
    const peersFile = join(own, "peers.json");
    writeFileSync(peersFile, JSON.stringify({ peers }));
    const wire = wires[at]!;
    const region: Region = {
      name,
      wire,
      service: undefined as unknown as Service,
      async start() {
        region.service = await startService({
          dataPath: join(own, "data"),
          args: ["--region", name, "--peers-file", peersFile, "--lanes", "1", "--vault-min-gib", "1", "--drain-grace-seconds", "0"],
        });
        wire.target = region.service.baseUrl;
      },
      async kill() {
        wire.target = undefined;
        await region.service.kill();
      },
      async stop() {
        wire.target = undefined;
        await region.service.stop();
      },
    };
    return region;
  });
  for (const region of regions) await region.start();
  return regions;
}
