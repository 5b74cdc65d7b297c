// Package api holds the contract with shops. The server generates its models from it, validates requests
// against it, and serves it.
package api

import _ "embed"

// OpenAPI is the contract, an OpenAPI 3.0.3 document in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
