import {Operations} from './operations.gen.js';

/**
 * The client of a shop: `new Payrelay('https://pay.example.com', key)`. It has a method for each call of the contract.
 *
 * A call that failed for a moment is sent again: when no answer came, with 429, 502, 503, 504, and with the codes
 * `idempotency_in_progress`, `refund_in_progress` and `internal_error`. That does nothing twice, for every POST that moves
 * money has an Idempotency-Key, which its retries keep. A POST without one is sent once. Pauses grow and are jittered, and
 * Retry-After is honoured up to 30 seconds; after a longer one the error says so.
 */
export class Payrelay extends Operations {}

export type {CallOptions, ReadOptions, Settings} from './caller.js';
export {NoAnswerError, PayrelayError} from './errors.js';
export type * from './schema.gen.js';
export {SignatureError, Webhook} from './webhook.js';
