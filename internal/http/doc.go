// Package httpapi is the merchant API. routes.go shows every address and, in order, what a call passes on its way: each of
// those steps has a file of its own. An endpoint decodes, calls one use case of package payment, and encodes. Every error
// leaves through problem.go.
//
// The contract is api/openapi.yaml. Only the models are generated from it (internal/oapi); requests are validated against the
// document itself.
package httpapi
