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
export declare class Caller {
    #private;
    /** Of the service at `base`, such as https://pay.example.com, with a shop's key, prk_…. */
    constructor(base: string, key: string, { timeout, retries, fetch }?: Settings);
    /** The pause between two tries. */
    protected pause(seconds: number, signal?: AbortSignal): Promise<void>;
    protected send<T>(call: Call, options: CallOptions): Promise<T>;
    /** Sends a request, and sends it again where that is safe. */
    protected sendRaw(call: Call, { signal, idempotencyKey }: CallOptions): Promise<Uint8Array>;
}
/** Reads a list to its end. */
export declare function pages<T>(page: (at: {
    cursor?: string;
}) => Promise<{
    data: T[];
    next_cursor: string | null;
}>): AsyncGenerator<T, void, undefined>;
export {};
