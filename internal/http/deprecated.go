package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// deprecation says since when an operation or a parameter is deprecated, and when it may go.
type deprecation struct{ since, sunset time.Time }

// deprecationOf reads what the contract says: deprecated, and the dates x-deprecated-since and x-sunset.
func deprecationOf(deprecated bool, extensions map[string]any) (*deprecation, error) {
	if !deprecated {
		return nil, nil //nolint:nilnil // it is not deprecated, and nothing is wrong
	}
	since, sinceErr := dateOf(extensions, "x-deprecated-since")
	sunset, sunsetErr := dateOf(extensions, "x-sunset")
	return &deprecation{since: since, sunset: sunset}, errors.Join(sinceErr, sunsetErr)
}

func dateOf(extensions map[string]any, name string) (time.Time, error) {
	text, _ := extensions[name].(string)
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return date, fmt.Errorf("what is deprecated needs %s with a date such as 2030-01-31, in quotes: %w", name, err)
	}
	return date, nil
}

// checkDeprecations finds what is deprecated without a date.
func checkDeprecations(doc *openapi3.T) error {
	var errs []error
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if _, err := deprecationOf(op.Deprecated, op.Extensions); err != nil {
				errs = append(errs, fmt.Errorf("%s %s: %w", method, path, err))
			}
			for _, p := range op.Parameters {
				if _, err := deprecationOf(p.Value.Deprecated, p.Value.Extensions); err != nil {
					errs = append(errs, fmt.Errorf("%s %s, parameter %s: %w", method, path, p.Value.Name, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// howSomethingGoes is the part of the documentation that says what being deprecated means.
const howSomethingGoes = "/docs/versioning#how-something-goes"

// deprecated tells who calls what will go, in the headers of RFC 9745 and RFC 8594, and counts it by key, so that operators know whom to
// ask. Of several things the one that goes first is told.
func (s *server) deprecated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		if d := c.operation.deprecationFor(r); d != nil {
			w.Header().Set("Deprecation", fmt.Sprintf("@%d", d.since.Unix()))
			w.Header().Set("Sunset", d.sunset.Format(http.TimeFormat))
			w.Header().Add("Link", `<`+howSomethingGoes+`>; rel="deprecation"; type="text/html"`)
			s.metrics.deprecated.WithLabelValues(c.operation.id, c.principal.KeyID).Inc()
		}
		next.ServeHTTP(w, r)
	})
}

// deprecationFor is what goes first of the operation and the parameters that the request uses, or nil.
func (o *operation) deprecationFor(r *http.Request) *deprecation {
	first := o.deprecated
	if len(o.deprecatedQuery) == 0 {
		return first
	}
	query := r.URL.Query()
	for name, d := range o.deprecatedQuery {
		if query.Has(name) && (first == nil || d.sunset.Before(first.sunset)) {
			first = d
		}
	}
	return first
}
