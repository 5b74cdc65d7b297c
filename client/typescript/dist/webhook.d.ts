import type { Notification } from './schema.gen.js';
/** A notification is not from payrelay, was changed on its way, or is too old. Answer it with 401. */
export declare class SignatureError extends Error {
    name: string;
}
type HeaderMap = Headers | Record<string, string | string[] | undefined>;
/** Verifies notifications by a shop's secret. It follows Standard Webhooks. */
export declare class Webhook {
    #private;
    /** Takes the shop's webhook secret, whsec_…. */
    constructor(secret: string);
    /**
     * Verifies a notification by its headers and its body, which is the bytes or the text as they came. One valid signature is
     * enough: while a secret is changed there is one by each.
     */
    verify(headers: HeaderMap, body: string | Uint8Array): Notification;
}
export {};
