// Package httpapi is the merchant API: the handlers behind the server that is generated from api/openapi.yaml, and what
// every request passes on its way: request id, log line, limits, the shop's key, strict JSON, Idempotency-Key, and
// validation against the document.
//
// A handler decodes, calls one use case of package payment, and encodes. Every error leaves through problem.go.
package httpapi
