// Package transport is the HTTP client that adapters call their provider with. It knows no provider's words: it sends
// one request, bounds everything about it, and says for certain whether a failure happened before or after the request
// could have reached the provider.
//
// That distinction is what keeps money safe, so it is made where it can be proved. Until the connection is handed to the
// request, nothing can have been written: such a failure is gateway.KindNotSent, as are an open breaker and a full
// bulkhead. After that a failure is gateway.KindUnknown, unless the connection speaks HTTP/1 and counted no byte written
// since. net/http is kept from sending a request twice by itself: bodies cannot be rewound, and the headers that
// would allow a replay are rejected.
//
// A provider's answer of any status is a Response; what it means is the adapter's business. There are no redirects,
// cookies, retries or proxies. Logs, metrics and errors carry operation names, outcomes, sizes and times, never a
// header, an address, a query or a body.
package transport
