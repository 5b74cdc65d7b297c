/**
 * An answer that is not 2xx. Judge it by its `code`, and by its `status` where you do not know the code. `code` is empty if
 * the answer is not payrelay's, but that of a proxy on the way.
 */
export class PayrelayError extends Error {
    name = 'PayrelayError';
    status;
    code;
    detail;
    /** What to quote when you ask for help. */
    requestId;
    /** Every field that was wrong. */
    errors;
    /** Seconds that the service asks to wait before the next try, 0 if it does not say. */
    retryAfter;
    /** The whole problem, as it came. */
    problem;
    constructor(call, status, headers, body) {
        const problem = parse(body);
        const to = headers.get('location');
        const detail = problem?.detail ?? (to ? `it redirects to ${to}: use that address` : 'the answer is not from payrelay: is this its address?');
        const requestId = problem?.request_id ?? headers.get('x-request-id') ?? '';
        super(`${call}: ${status}${problem ? ` ${problem.code}` : ''}: ${detail}${requestId && ` (request ${requestId})`}`);
        this.status = status;
        this.code = problem?.code ?? '';
        this.detail = detail;
        this.requestId = requestId;
        this.errors = problem?.errors ?? [];
        this.retryAfter = parseRetryAfter(headers.get('retry-after'));
        this.problem = problem;
    }
}
/**
 * No answer came, so it is not known what became of the request. Call again with the same `reference`, or look the order up
 * by it. `cause` says what happened.
 */
export class NoAnswerError extends Error {
    name = 'NoAnswerError';
}
function parse(body) {
    try {
        const problem = JSON.parse(body);
        return typeof problem?.code === 'string' ? problem : undefined;
    }
    catch {
        return undefined;
    }
}
/** Reads a number of seconds or a time. */
function parseRetryAfter(value) {
    if (!value)
        return 0;
    const seconds = Number(value);
    return Math.max(0, Number.isNaN(seconds) ? (Date.parse(value) - Date.now()) / 1000 || 0 : seconds);
}
const firstPause = 0.5, maxPause = 8;
/** The longest that a call waits because the service asks for it. A longer wait is the shop's own affair. */
const maxRetryAfter = 30;
/** How many seconds to wait until the same request may succeed, undefined if it will not soon. */
export function pauseAfter(error, retry) {
    const longest = Math.min(firstPause * 2 ** retry, maxPause);
    const jittered = longest / 2 + Math.random() * longest / 2;
    if (error instanceof NoAnswerError)
        return jittered;
    if (!(error instanceof PayrelayError) || !passes(error) || error.retryAfter > maxRetryAfter)
        return undefined;
    return error.retryAfter + jittered;
}
/** Whether the same request may succeed soon. Codes come first; one that is not known is judged by its status. */
function passes({ code, status }) {
    switch (code) {
        case 'idempotency_in_progress':
        case 'refund_in_progress':
        case 'internal_error':
            return true;
        case 'velocity_exceeded': // another try is what it asks not to make
            return false;
        default:
            return [408, 429, 502, 503, 504].includes(status);
    }
}
