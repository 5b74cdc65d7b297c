import {randomUUID} from 'node:crypto';
import {NoAnswerError, pauseAfter, PayrelayError} from './errors.js';

export interface Settings {
  /** Milliseconds that one try may take: a minute. A call has several, so limit the whole of it by its `signal`. */
  timeout?: number;
  /** How many times a request is sent again, where that is safe: 3. */
  retries?: number;
  /** What sends the requests, instead of the global fetch. */
  fetch?: typeof globalThis.fetch;
}

export interface ReadOptions {
  /** Gives the call up, with its retries. */
  signal?: AbortSignal;
}

export interface CallOptions extends ReadOptions {
  /** A key of your own, which your program still knows after it was restarted. Without it each call has a fresh one. Its retries keep it. */
  idempotencyKey?: string;
}

/** One call. */
interface Call {
  method: string;
  path: string;
  /** What stands in the path, if something does. */
  id?: string;
  query?: object;
  body?: object;
  /** The call takes an Idempotency-Key. */
  once?: boolean;
}

/** What every method uses. */
export class Caller {
  readonly #base: string;
  readonly #key: string;
  readonly #timeout: number;
  readonly #retries: number;
  readonly #fetch: typeof globalThis.fetch;

  /** Of the service at `base`, such as https://pay.example.com, with a shop's key, prk_…. */
  constructor(base: string, key: string, {timeout = 60_000, retries = 3, fetch = globalThis.fetch}: Settings = {}) {
    this.#base = base.replace(/\/+$/, '');
    this.#key = key;
    this.#timeout = timeout;
    this.#retries = retries;
    this.#fetch = fetch;
  }

  /** The pause between two tries. */
  protected pause(seconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => { clearTimeout(timer); reject(signal!.reason); };
      const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, seconds * 1000);
      signal?.addEventListener('abort', stop, {once: true});
    });
  }

  protected async send<T>(call: Call, options: CallOptions): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.sendRaw(call, options))) as T;
  }

  /** Sends a request, and sends it again where that is safe. */
  protected async sendRaw(call: Call, {signal, idempotencyKey}: CallOptions): Promise<Uint8Array> {
    const headers: Record<string, string> = {Authorization: `Bearer ${this.#key}`};
    if (call.body) headers['Content-Type'] = 'application/json';
    if (call.once) headers['Idempotency-Key'] = idempotencyKey ?? randomUUID();
    const repeatable = call.method === 'GET' || call.once;
    const request = {method: call.method, headers, body: call.body ? JSON.stringify(call.body) : null, redirect: 'manual'} as const;
    const address = this.#address(call), name = `${call.method} ${call.path}`;
    for (let retry = 0; ; retry++) {
      try {
        return await this.#try(name, address, request, signal);
      } catch (error) {
        const wait = pauseAfter(error, retry);
        if (wait === undefined || !repeatable || retry >= this.#retries) throw error;
        await this.pause(wait, signal);
      }
    }
  }

  #address({path, id, query}: Call): string {
    if (id === '' || id === undefined && path.includes('{')) throw new TypeError(`${path}: the id is empty`);
    const values = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined && value !== null) values.set(name, String(value));
    return this.#base + path.replace(/{\w+}/, () => encodeURIComponent(id!)) + (values.size ? `?${values}` : '');
  }

  /** Sends the request once. */
  async #try(name: string, address: string, request: RequestInit, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const timer = new AbortController();
    const stop = setTimeout(() => timer.abort(new Error(`no answer in ${this.#timeout} ms`)), this.#timeout);
    let response, body;
    try {
      response = await this.#fetch(address, {...request, signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal});
      body = new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      signal?.throwIfAborted();
      throw new NoAnswerError(`${name}: no answer: ${reason(cause)}`, {cause});
    } finally {
      clearTimeout(stop);
    }
    if (!response.ok) throw new PayrelayError(name, response.status, response.headers, new TextDecoder().decode(body));
    return body;
  }
}

/** fetch hides what happened one cause below. */
function reason(error: unknown): string {
  const {cause = error} = error as {cause?: unknown};
  return cause instanceof Error ? cause.message || String((cause as {code?: unknown}).code ?? cause.name) : String(cause);
}

/** Reads a list to its end. */
export async function* pages<T>(page: (at: {cursor?: string}) => Promise<{data: T[]; next_cursor: string | null}>): AsyncGenerator<T, void, undefined> {
  for (let at: {cursor?: string} = {}; ;) {
    const {data, next_cursor: cursor} = await page(at);
    yield* data;
    if (cursor === null) return;
    at = {cursor};
  }
}
