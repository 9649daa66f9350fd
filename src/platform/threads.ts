import { setPriority } from "node:os";
import type { Transferable } from "node:worker_threads";

/** What both `MessagePort` and `Worker` are. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** An error as it crosses threads: structured cloning would drop its class and code. */
export interface CarriedError {
  name: string;
  message: string;
  code: string | undefined;
  stack: string | undefined;
}

export function carryError(error: unknown): CarriedError {
  const { name, message, code, stack } = (error instanceof Error ? error : new Error(String(error))) as Error & { code?: unknown };
  return { name, message, code: typeof code === "string" ? code : undefined, stack };
}

export interface CallOptions {
  /** Told to the other side when it aborts; the call still settles by what the other side answers. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: never) => void) | undefined;
  transfer?: readonly Transferable[];
}

/** What a served method is given besides its parameters. */
export interface CallControl {
  signal: AbortSignal;
  progress: (value: unknown) => void;
}

/** A method's answer whose buffers are to be moved, not copied. */
export class Moved {
  readonly value: unknown;
  readonly transfer: readonly Transferable[];
  constructor(value: unknown, transfer: readonly Transferable[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

type Request = { call: number; method: string; params: unknown; aborted: boolean } | { abort: number };
type Answer = { call: number; result: unknown } | { call: number; error: CarriedError } | { call: number; progress: unknown };

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  onProgress: ((progress: never) => void) | undefined;
}

/** Calls methods that another thread {@link serve}s. */
export class Remote {
  readonly #port: Port;
  readonly #revive: (error: CarriedError) => Error;
  readonly #pending = new Map<number, Pending>();
  #lastCall = 0;
  #failure: Error | undefined;

  /** `revive` makes the caller's kind of error from what came across. */
  constructor(port: Port, revive: (error: CarriedError) => Error) {
    this.#port = port;
    this.#revive = revive;
    port.on("message", (message) => this.#answer(message as Answer));
  }

  call(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const call = ++this.#lastCall;
    const { signal, onProgress, transfer } = options;
    const abort = (): void => this.#port.postMessage({ abort: call } satisfies Request, []);
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject, onProgress });
      this.#port.postMessage({ call, method, params, aborted: signal?.aborted ?? false } satisfies Request, transfer);
      signal?.addEventListener("abort", abort, { once: true });
    }).finally(() => signal?.removeEventListener("abort", abort));
  }

  /** Rejects everything that waits, and every later call: the other side is gone. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }

  #answer(answer: Answer): void {
    const pending = this.#pending.get(answer.call);
    if (pending === undefined) return;
    if ("progress" in answer) return pending.onProgress?.(answer.progress as never);
    this.#pending.delete(answer.call);
    if ("error" in answer) pending.reject(this.#revive(answer.error));
    else pending.resolve(answer.result);
  }
}

export type Methods = Record<string, (params: never, control: CallControl) => unknown>;

/** Answers the calls of a {@link Remote} at the other end of `port`, each as it comes. */
export function serve(port: Port, methods: Methods): void {
  const running = new Map<number, AbortController>();
  const run = async ({ call, method, params, aborted }: Extract<Request, { method: string }>): Promise<void> => {
    const controller = new AbortController();
    if (aborted) controller.abort();
    running.set(call, controller);
    let answer: Answer;
    let transfer: readonly Transferable[] = [];
    try {
      const served = methods[method];
      if (served === undefined) throw new Error(`no method ${method}`);
      let result = await served(params as never, {
        signal: controller.signal,
        progress: (progress) => port.postMessage({ call, progress } satisfies Answer),
      });
      if (result instanceof Moved) ({ value: result, transfer } = result);
      answer = { call, result };
    } catch (error) {
      answer = { call, error: carryError(error) };
    }
    running.delete(call);
    port.postMessage(answer, transfer);
  };
  port.on("message", (message) => {
    const request = message as Request;
    if ("abort" in request) running.get(request.abort)?.abort();
    else void run(request);
  });
}

/** Lets every other thread of the process go first; on Linux this concerns the calling thread alone. */
export function yieldToOtherThreads(): void {
  try {
    setPriority(0, 10);
  } catch {
    // A platform that does not allow it runs at the ordinary priority.
  }
}
