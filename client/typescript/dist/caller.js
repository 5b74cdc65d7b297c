import { randomUUID } from 'node:crypto';
import { NoAnswerError, pauseAfter, PayrelayError } from './errors.js';
/** What every method uses. */
export class Caller {
    #base;
    #key;
    #timeout;
    #retries;
    #fetch;
    /** Of the service at `base`, such as https://pay.example.com, with a shop's key, prk_…. */
    constructor(base, key, { timeout = 60_000, retries = 3, fetch = globalThis.fetch } = {}) {
        this.#base = base.replace(/\/+$/, '');
        this.#key = key;
        this.#timeout = timeout;
        this.#retries = retries;
        this.#fetch = fetch;
    }
    /** The pause between two tries. */
    pause(seconds, signal) {
        return new Promise((resolve, reject) => {
            const stop = () => { clearTimeout(timer); reject(signal.reason); };
            const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, seconds * 1000);
            signal?.addEventListener('abort', stop, { once: true });
        });
    }
    async send(call, options) {
        return JSON.parse(new TextDecoder().decode(await this.sendRaw(call, options)));
    }
    /** Sends a request, and sends it again where that is safe. */
    async sendRaw(call, { signal, idempotencyKey }) {
        const headers = { Authorization: `Bearer ${this.#key}` };
        if (call.body)
            headers['Content-Type'] = 'application/json';
        if (call.once)
            headers['Idempotency-Key'] = idempotencyKey ?? randomUUID();
        const repeatable = call.method === 'GET' || call.once;
        const request = { method: call.method, headers, body: call.body ? JSON.stringify(call.body) : null, redirect: 'manual' };
        const address = this.#address(call), name = `${call.method} ${call.path}`;
        for (let retry = 0;; retry++) {
            try {
                return await this.#try(name, address, request, signal);
            }
            catch (error) {
                const wait = pauseAfter(error, retry);
                if (wait === undefined || !repeatable || retry >= this.#retries)
                    throw error;
                await this.pause(wait, signal);
            }
        }
    }
    #address({ path, id, query }) {
        if (id === '' || id === undefined && path.includes('{'))
            throw new TypeError(`${path}: the id is empty`);
        const values = new URLSearchParams();
        for (const [name, value] of Object.entries(query ?? {}))
            if (value !== undefined && value !== null)
                values.set(name, String(value));
        return this.#base + path.replace(/{\w+}/, () => encodeURIComponent(id)) + (values.size ? `?${values}` : '');
    }
    /** Sends the request once. */
    async #try(name, address, request, signal) {
        signal?.throwIfAborted();
        const timer = new AbortController();
        const stop = setTimeout(() => timer.abort(new Error(`no answer in ${this.#timeout} ms`)), this.#timeout);
        let response, body;
        try {
            response = await this.#fetch(address, { ...request, signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal });
            body = new Uint8Array(await response.arrayBuffer());
        }
        catch (cause) {
            signal?.throwIfAborted();
            throw new NoAnswerError(`${name}: no answer: ${reason(cause)}`, { cause });
        }
        finally {
            clearTimeout(stop);
        }
        if (!response.ok)
            throw new PayrelayError(name, response.status, response.headers, new TextDecoder().decode(body));
        return body;
    }
}
/** fetch hides what happened one cause below. */
function reason(error) {
    const { cause = error } = error;
    return cause instanceof Error ? cause.message || String(cause.code ?? cause.name) : String(cause);
}
/** Reads a list to its end. */
export async function* pages(page) {
    for (let at = {};;) {
        const { data, next_cursor: cursor } = await page(at);
        yield* data;
        if (cursor === null)
            return;
        at = { cursor };
    }
}
