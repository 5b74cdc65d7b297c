package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"

	"payrelay/internal/gateway"
)

// validate holds path, query and body against the contract, and answers with everything that is wrong at once.
func (s *server) validate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		var wrong problems
		if !c.readPath(r, &wrong) {
			s.problem(w, r, noID)
			return
		}
		c.readQuery(r.URL.RawQuery, &wrong)
		c.checkBody(&wrong)
		if c.body != nil && c.body.reference != "" {
			s.metrics.references.WithLabelValues(c.principal.Shop.Name, c.body.reference).Inc()
		}
		if c.body != nil && len(c.body.cards) > 0 {
			s.problem(w, r, c.operation.cardInText(c.body.cards, wrong))
			return
		}
		if len(wrong) > 0 {
			p := problem{Status: http.StatusUnprocessableEntity, Code: "invalid_request", Detail: notValid, Fields: wrong.listed()}
			s.problem(w, r, s.complete(r, p, p.Fields))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noID answers an address with something else in the place of an id.
var noID = problem{
	Status: http.StatusNotFound, Code: "not_found",
	Detail: "The address has no id in it. An id is a UUID, as the answer that made the order has it. By your own reference GET /v1/orders?reference=… finds an order.",
}

// listed returns the problems in the order of their fields, of each field the first.
func (p problems) listed() []gateway.FieldError {
	var fields []gateway.FieldError
	for _, one := range p {
		if !slices.ContainsFunc(fields, func(f gateway.FieldError) bool { return f.Field == one.Field && f.Field != "body" }) {
			fields = append(fields, one)
		}
	}
	slices.SortFunc(fields, func(a, b gateway.FieldError) int { return strings.Compare(a.Field+a.Message, b.Field+b.Message) })
	return fields
}

// readPath reads the parameters of the address. It reports false of one that can name nothing.
func (c *call) readPath(r *http.Request, wrong *problems) bool {
	c.path = map[string]string{}
	matched := chi.RouteContext(r.Context()).URLParams
	for _, p := range c.operation.parameters {
		if p.Value.In != openapi3.ParameterInPath {
			continue
		}
		i := slices.Index(matched.Keys, p.Value.Name)
		if i < 0 {
			return false
		}
		text, ok := unescaped(matched.Values[i], r.URL.RawPath != "")
		if !ok {
			return false
		}
		var bad problems
		bad.addValue(p.Value.Schema.Value, text, "path."+p.Value.Name)
		if len(bad) > 0 && p.Value.Schema.Value.Format == "uuid" {
			return false
		}
		*wrong = append(*wrong, bad...)
		c.path[p.Value.Name] = text
	}
	return true
}

// unescaped returns what stands in the place of a parameter of the address. The router matches an address that has
// unusual escapes as it came, any other without its escapes. A reader may take escapes away once more, so both forms must
// be clean.
func unescaped(text string, escaped bool) (string, bool) {
	plain, err := url.PathUnescape(text)
	if err != nil || !clean(text) || !clean(plain) {
		return "", false
	}
	if escaped {
		return plain, true
	}
	return text, true
}

// readQuery reads the query. A name that the operation does not have is a problem, so that a typo never goes unnoticed.
func (c *call) readQuery(raw string, wrong *problems) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		wrong.add("query", "cannot be read: escape it as application/x-www-form-urlencoded")
		return
	}
	c.query = map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parameter := c.operation.parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		if parameter == nil {
			wrong.add(fieldName(name), "is not a parameter of this call: check its spelling")
			continue
		}
		c.query[name] = readParameter(parameter, query[name], wrong)
	}
	wrong.addBackwards(query, "created_from", "created_to")
}

var wholeText = regexp.MustCompile(`^-?[0-9]+$`)

// readParameter reads one parameter of a query.
func readParameter(parameter *openapi3.Parameter, values []string, wrong *problems) (value any) {
	name, schema, text := parameter.Name, parameter.Schema.Value, values[0]
	value = text
	switch {
	case len(values) > 1:
		wrong.add(name, "stands twice")
	case text == "":
		wrong.add(name, "must not be empty: leave it out instead")
	case !clean(text):
		wrong.add(name, "has control characters, or is not UTF-8")
	case schema.Format == "date-time" && strings.Contains(text, " "):
		wrong.add(name, "must be a time without a space: an unescaped + means one, so write + as %2B, or use UTC, such as 2026-01-31T00:00:00Z")
	case schema.Type.Is("integer") && !wholeText.MatchString(text):
		wrong.add(name, "must be a whole number"+rangeOf(schema))
	default:
		if schema.Type.Is("integer") {
			value = json.Number(text)
		}
		wrong.addValue(schema, value, name)
	}
	return value
}

// addBackwards complains about a period that ends before it begins, which nothing is in.
func (p *problems) addBackwards(query url.Values, from, to string) {
	begin, noBegin := time.Parse(time.RFC3339, query.Get(from))
	end, noEnd := time.Parse(time.RFC3339, query.Get(to))
	if noBegin == nil && noEnd == nil && begin.After(end) {
		p.add(from, "must not be later than "+to)
	}
}

// checkBody holds the body against the contract. A body that came to a call that takes none would be ignored, so it must say
// nothing.
func (c *call) checkBody(wrong *problems) {
	switch takes := c.operation.body; {
	case c.body == nil && takes != nil && takes.Required:
		wrong.add("body", "is required")
	case c.body == nil:
	case takes == nil:
		if object, ok := c.body.value.(map[string]any); !ok || len(object) > 0 {
			wrong.add("body", "must be left out: this call takes none")
		}
	default:
		wrong.addValue(c.operation.schema(), c.body.value, "")
	}
	if c.body != nil {
		*wrong = append(*wrong, c.body.wrong...)
	}
}
