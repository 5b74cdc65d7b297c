package httpapi

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"payrelay/api"
	"payrelay/internal/shop"
)

// Document returns the contract, read and checked. It is read once and shared: nobody may change it.
func Document() (*openapi3.T, error) { return contractOnce() }

var contractOnce = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check the contract: %w", err)
	}
	if err := checkDeprecations(doc); err != nil {
		return nil, fmt.Errorf("check the contract: %w", err)
	}
	doc.Servers = nil // requests are matched by path alone
	return doc, nil
})

// operation is what the contract says of one call.
type operation struct {
	id         string
	scope      shop.Scope
	parameters openapi3.Parameters
	body       *openapi3.RequestBody // nil for a call that takes none
	// cardNumbers are the members of the body that take a card's number.
	cardNumbers []string
	// What will go: the operation itself, or nil, and parameters of the query by name.
	deprecated      *deprecation
	deprecatedQuery map[string]*deprecation
}

// operationsOf returns the contract's operations with a scope, by method and route.
func operationsOf(doc *openapi3.T) map[string]*operation {
	operations := map[string]*operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			scope, ok := op.Extensions["x-scope"].(string)
			if !ok {
				continue
			}
			o := &operation{id: op.OperationID, scope: shop.Scope(scope), parameters: slices.Concat(item.Parameters, op.Parameters)}
			if op.RequestBody != nil {
				o.body = op.RequestBody.Value
				o.cardNumbers = cardNumbersIn(o.schema(), "")
			}
			o.deprecated, _ = deprecationOf(op.Deprecated, op.Extensions) // checked with the contract
			o.deprecatedQuery = map[string]*deprecation{}
			for _, p := range o.parameters {
				if d, _ := deprecationOf(p.Value.Deprecated, p.Value.Extensions); d != nil && p.Value.In == openapi3.ParameterInQuery {
					o.deprecatedQuery[p.Value.Name] = d
				}
			}
			operations[method+" "+path] = o
		}
	}
	return operations
}

// schema is what the body must keep to.
func (o *operation) schema() *openapi3.Schema {
	return o.body.Content.Get("application/json").Schema.Value
}
