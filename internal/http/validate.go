package httpapi

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// validate checks a request against the contract and answers with everything that is wrong at once.
func (s *server) validate(next http.Handler) http.Handler {
	options := &openapi3filter.Options{
		MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		SkipSettingDefaults:     true, // else the body, which may hold a card, is written anew
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(formats)},
	}
	options.WithCustomSchemaErrorFunc(func(e *openapi3.SchemaError) string { return e.Reason })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, params, err := s.router.FindRoute(r)
		if err != nil { // the handlers' router knows the address and the contract does not: nothing passes unchecked
			s.problem(w, r, notFound)
			return
		}
		if !cleanPath(r) {
			s.problem(w, r, notFound)
			return
		}
		wrong, values := slices.Concat(badQuery(route, r.URL.RawQuery), badBody(route, r)), bodyOf(r.Context()).values
		err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options})
		if err != nil || len(wrong)+len(values) > 0 {
			p := invalid(openapi3.MultiError{wrong, err, values})
			s.problem(w, r, s.complete(r, p, p.Fields))
			return
		}
		next.ServeHTTP(w, r)
	})
}

var notFound = problem{Status: http.StatusNotFound, Code: "not_found", Detail: payment.ErrNotFound.Message}

// invalid lists what is wrong with a request. It never repeats a value.
func invalid(err error) problem {
	var fields []gateway.FieldError
	badID := false
	collect(err, "", func(field, message string) {
		if field == "path.id" {
			badID = true
		}
		if !slices.ContainsFunc(fields, func(f gateway.FieldError) bool { return f.Field == field && field != "body" }) {
			fields = append(fields, gateway.FieldError{Field: field, Message: message})
		}
	})
	if badID {
		return notFound
	}
	slices.SortFunc(fields, func(a, b gateway.FieldError) int { return strings.Compare(a.Field+a.Message, b.Field+b.Message) })
	return problem{Status: http.StatusUnprocessableEntity, Code: "invalid_request", Detail: notValid, Fields: fields}
}

// collect walks through what the validator found.
func collect(err error, at string, add func(field, message string)) {
	switch e := err.(type) { //nolint:errorlint // a tree is walked, level by level
	case problems:
		for _, f := range e {
			add(f.Field, f.Message)
		}
	case openapi3.MultiError:
		for _, inner := range e {
			if inner != nil {
				collect(inner, at, add)
			}
		}
	case *openapi3filter.RequestError:
		switch {
		case e.Parameter != nil:
			at = e.Parameter.Name
			if e.Parameter.In == "path" {
				at = "path." + at
			}
		case e.RequestBody != nil:
			at = ""
		}
		if e.Err == nil || errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
			add(orBody(at), "is required")
			return
		}
		collect(e.Err, at, add)
	case *openapi3.SchemaError:
		schemaProblem(e, at, add)
	case *openapi3filter.ParseError:
		add(orBody(at), "cannot be read")
	default:
		if inner := errors.Unwrap(err); inner != nil {
			collect(inner, at, add)
			return
		}
		add(orBody(at), "is not valid")
	}
}

func orBody(field string) string {
	if field == "" {
		return "body"
	}
	return field
}

// schemaProblem says in plain words which rule of the contract a member breaks.
func schemaProblem(e *openapi3.SchemaError, at string, add func(field, message string)) {
	path := e.JSONPointer()
	if at != "" && !strings.HasPrefix(at, "path.") {
		path = append([]string{at}, path...)
	} else if at != "" {
		path = []string{at}
	}
	field, schema := strings.Join(path, "."), e.Schema
	message := ""
	switch e.SchemaField {
	case "required":
		message = "is required"
	case "properties", "additionalProperties":
		message = "is not a member of this request: check its spelling"
		// the path ends at the object; only the reason, which holds no value, names the member
		if name, ok := strings.CutPrefix(e.Reason, "property "); ok {
			if name, err := strconv.Unquote(strings.TrimSuffix(name, " is unsupported")); err == nil {
				field = strings.TrimPrefix(field+"."+name, ".")
			}
		}
	case "type":
		message = "must be " + typeName(schema)
	case "nullable":
		message = "must not be null: leave it out instead"
	case "enum":
		message = "must be one of " + enumNames(schema)
	case "minimum", "exclusiveMinimum":
		message = fmt.Sprintf("must be at least %.0f", *schema.Min)
	case "maximum", "exclusiveMaximum":
		message = fmt.Sprintf("must be at most %.0f", *schema.Max)
		if *schema.Max == largestExact {
			message += ", the largest number that every JSON reader keeps exactly"
		}
	case "minLength":
		message = fmt.Sprintf("must have at least %d characters", schema.MinLength)
	case "maxLength":
		message = fmt.Sprintf("must have at most %d characters", *schema.MaxLength)
	case "maxProperties":
		message = fmt.Sprintf("must have at most %d members", *schema.MaxProps)
	case "pattern", "format":
		message = "must be " + forms[schema.Pattern]
		if schema.Format != "" {
			message = "must be a valid " + schema.Format
		}
		if schema.Format == "date-time" {
			message += ", such as 2026-01-31T00:00:00Z"
		}
	default:
		message = "is not valid"
	}
	add(orBody(fieldName(field)), message)
}

// largestExact is the largest whole number of which programs that read numbers as floats, such as JavaScript, lose nothing.
const largestExact = 1<<53 - 1

// phoneForm is the contract's pattern of a phone number.
const phoneForm = `^\+[1-9][0-9]{6,14}$`

// forms says the contract's patterns in words.
var forms = map[string]string{
	`^[ -{}~]+$`:                   "printable ASCII without a bar (|)",
	`^[ -~]+$`:                     "printable ASCII",
	phoneForm:                      "a phone number in E.164: + with the country code and the number, without spaces, such as +442079460612",
	`^[A-Z]{2}$`:                   "a country of two capital letters (ISO 3166-1 alpha-2), such as GB",
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`: "a date such as 1997-06-06",
	`^[0-9 -]+$`:                   "digits; spaces and hyphens between them are ignored",
	`^[0-9]{3,4}$`:                 "3 or 4 digits",
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	longNumber = regexp.MustCompile(`[0-9]{9}`)
)

// fieldName returns a path as it may be shown. A shop makes up the names of metadata and of members that do not exist,
// and might put a card number there: what does not look like a name is left out.
func fieldName(path string) string {
	if path == "" {
		return ""
	}
	names := strings.Split(path, ".")
	for i, name := range names {
		if !plainName.MatchString(name) || longNumber.MatchString(name) || holdsCardNumber(name) {
			names[i] = "?"
		}
	}
	return strings.Join(names, ".")
}

// timeShape is RFC 3339 without what time.Parse takes beyond it: an hour of one digit, a comma, a zone of a day.
var timeShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// formats are the contract's formats of text. What passes here can be decoded.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid": openapi3.NewCallbackValidator(func(s string) error {
		if len(s) != 36 {
			return errors.New("not a UUID")
		}
		_, err := uuid.Parse(s)
		return err
	}),
	"date-time": openapi3.NewCallbackValidator(func(s string) error {
		at, err := time.Parse(time.RFC3339, s)
		if !timeShape.MatchString(s) {
			return errors.New("not RFC 3339")
		}
		if year := at.UTC().Year(); err == nil && (year < 1 || year > 9999) {
			return errors.New("not a time that can be written in UTC")
		}
		return err
	}),
}

// badQuery says what is wrong with a query beyond the parameters' own rules: names that the operation does not have,
// so that a typo never goes unnoticed, and text that no parameter may hold.
func badQuery(route *routers.Route, raw string) (bad problems) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return problems{{Field: "query", Message: "cannot be read: escape it as application/x-www-form-urlencoded"}}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		parameter := route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		switch {
		case parameter == nil:
			bad.add(fieldName(name), "is not a parameter of this call: check its spelling")
		case len(values) > 1:
			bad.add(name, "stands twice")
		case values[0] == "":
			bad.add(name, "must not be empty: leave it out instead")
		case !clean(values[0]):
			bad.add(name, "has control characters, or is not UTF-8")
		case parameter.Schema.Value.Format == "date-time" && strings.Contains(values[0], " "):
			bad.add(name, "must be a time without a space: an unescaped + means one, so write + as %2B, or use UTC, such as 2026-01-31T00:00:00Z")
		}
	}
	return append(bad, badRange(query, "created_from", "created_to")...)
}

// badRange complains about a period that ends before it begins, which nothing is in.
func badRange(query url.Values, from, to string) (bad problems) {
	begin, noBegin := time.Parse(time.RFC3339, query.Get(from))
	end, noEnd := time.Parse(time.RFC3339, query.Get(to))
	if noBegin == nil && noEnd == nil && begin.After(end) {
		bad.add(from, "must not be later than "+to)
	}
	return bad
}

// cleanPath judges what stands in the place of the address's parameters. The generated server takes escapes away from
// what the router gives it, which may have been done already, so both forms must be clean.
func cleanPath(r *http.Request) bool {
	for _, raw := range chi.RouteContext(r.Context()).URLParams.Values {
		text, err := url.PathUnescape(raw)
		if err != nil || !clean(raw) || !clean(text) {
			return false
		}
	}
	return true
}

// badBody complains about a body that came to a call that takes none: what it says would be ignored. An empty object
// says nothing.
func badBody(route *routers.Route, r *http.Request) problems {
	if r.Method != http.MethodPost || route.Operation.RequestBody != nil || r.ContentLength == 0 {
		return nil
	}
	body, err := io.ReadAll(r.Body) // readBody checked it and made it a buffer
	defer clear(body)
	if canonical, _, invalid := canonicalJSON(body); err != nil || invalid != nil || string(canonical) != "{}" {
		return problems{{Field: "body", Message: "must be left out: this call takes none"}}
	}
	return nil
}

// clean reports whether text can be stored and printed.
func clean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// wholeNumber is the one kind of number that the contract has.
const wholeNumber = "a whole number without a decimal point or exponent, not in quotes"

func typeName(schema *openapi3.Schema) string {
	switch {
	case schema.Type.Is("integer"):
		return wholeNumber
	case schema.Type.Is("string"):
		return "text in double quotes"
	case schema.Type.Is("boolean"):
		return "true or false"
	case schema.Type.Is("object"):
		return "an object in braces"
	case schema.Type.Is("array"):
		return "a list in brackets"
	}
	return "of another type"
}

func enumNames(schema *openapi3.Schema) string {
	names := make([]string, 0, len(schema.Enum))
	for _, v := range schema.Enum {
		names = append(names, fmt.Sprint(v))
	}
	return strings.Join(names, ", ")
}
