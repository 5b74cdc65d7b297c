import {createHmac, timingSafeEqual} from 'node:crypto';
import type {Notification} from './schema.gen.js';

/** A notification is not from payrelay, was changed on its way, or is too old. Answer it with 401. */
export class SignatureError extends Error {
  override name = 'SignatureError';
}

/** How many seconds the sender's clock and ours may differ. An older notification may be one that somebody kept. */
const tolerance = 300;

type HeaderMap = Headers | Record<string, string | string[] | undefined>;

/** Verifies notifications by a shop's secret. It follows Standard Webhooks. */
export class Webhook {
  readonly #key: Buffer;

  /** Takes the shop's webhook secret, whsec_…. */
  constructor(secret: string) {
    const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
    if (!encoded) throw new TypeError('this is no webhook secret: it begins with whsec_, and base64 follows');
    this.#key = Buffer.from(encoded, 'base64');
  }

  /**
   * Verifies a notification by its headers and its body, which is the bytes or the text as they came. One valid signature is
   * enough: while a secret is changed there is one by each.
   */
  verify(headers: HeaderMap, body: string | Uint8Array): Notification {
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
      throw new TypeError("the body was parsed before it was verified, or was not read: with Express, use express.raw({type: 'application/json'}) on this route, before express.json()");
    }
    const id = header(headers, 'webhook-id'), timestamp = header(headers, 'webhook-timestamp');
    if (!id || !/^\d+$/.test(timestamp)) throw new SignatureError('a header is missing');
    const age = Date.now() / 1000 - Number(timestamp);
    if (Math.abs(age) > tolerance) throw new SignatureError(`it was signed ${Math.round(age)} s ago: is the clock right?`);
    const expected = createHmac('sha256', this.#key).update(`${id}.${timestamp}.`).update(body).digest();
    const valid = header(headers, 'webhook-signature').split(' ').some((signature) => {
      const given = Buffer.from(signature.startsWith('v1,') ? signature.slice(3) : '', 'base64');
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    if (!valid) throw new SignatureError("it does not hold: is it the shop's secret, and the body as it came?");
    return JSON.parse(Buffer.from(body).toString('utf8')) as Notification;
  }
}

function header(headers: HeaderMap, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  return String(value ?? '');
}
