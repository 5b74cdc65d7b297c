import type { FieldProblem, Problem } from './schema.gen.js';
/**
 * An answer that is not 2xx. Judge it by its `code`, and by its `status` where you do not know the code. `code` is empty if
 * the answer is not payrelay's, but that of a proxy on the way.
 */
export declare class PayrelayError extends Error {
    name: string;
    readonly status: number;
    readonly code: Problem['code'];
    readonly detail: string;
    /** What to quote when you ask for help. */
    readonly requestId: string;
    /** Every field that was wrong. */
    readonly errors: FieldProblem[];
    /** Seconds that the service asks to wait before the next try, 0 if it does not say. */
    readonly retryAfter: number;
    /** The whole problem, as it came. */
    readonly problem: Problem | undefined;
    constructor(call: string, status: number, headers: Headers, body: string);
}
/**
 * No answer came, so it is not known what became of the request. Call again with the same `reference`, or look the order up
 * by it. `cause` says what happened.
 */
export declare class NoAnswerError extends Error {
    name: string;
}
/** How many seconds to wait until the same request may succeed, undefined if it will not soon. */
export declare function pauseAfter(error: unknown, retry: number): number | undefined;
