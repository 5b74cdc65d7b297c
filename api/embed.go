// Package api holds the contract with shops. The server is generated from it, and serves it.
package api

import _ "embed"

// OpenAPI is the contract, an OpenAPI 3.0.3 document in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
