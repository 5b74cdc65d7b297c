package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"payrelay/internal/gateway"
)

// validate checks a request against the contract and answers with everything that is wrong at once.
func (s *server) validate(next http.Handler) http.Handler {
	options := &openapi3filter.Options{MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	options.WithCustomSchemaErrorFunc(func(e *openapi3.SchemaError) string { return e.Reason })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, params, err := s.router.FindRoute(r)
		if err != nil { // the router of the handlers says 404 and 405
			next.ServeHTTP(w, r)
			return
		}
		err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options})
		if err != nil {
			s.problem(w, r, invalid(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// invalid lists what is wrong with a request. It never repeats a value.
func invalid(err error) problem {
	var fields []gateway.FieldError
	notFound := false
	collect(err, "", func(field, message string) {
		if field == "path.id" {
			notFound = true
		}
		f := gateway.FieldError{Field: field, Message: message}
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	})
	if notFound {
		return problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is no such order. Check the id, and that the key belongs to the shop that created it."}
	}
	slices.SortFunc(fields, func(a, b gateway.FieldError) int { return strings.Compare(a.Field+a.Message, b.Field+b.Message) })
	detail := "The request is not valid. Nothing was stored or sent."
	if len(fields) > 0 {
		detail = fmt.Sprintf("The request is not valid: %s %s. Nothing was stored or sent.", fields[0].Field, fields[0].Message)
	}
	return problem{Status: http.StatusUnprocessableEntity, Code: "invalid_request", Detail: detail, Fields: fields}
}

// collect walks through what the validator found.
func collect(err error, at string, add func(field, message string)) {
	switch e := err.(type) { //nolint:errorlint // a tree is walked, level by level
	case openapi3.MultiError:
		for _, inner := range e {
			collect(inner, at, add)
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
		if len(path) == 0 {
			message = "has a member that this request does not have"
		}
	case "type":
		message = "must be " + typeName(schema)
		if strings.Contains(e.Reason, "Additional property") {
			message = "must hold text only"
		}
	case "nullable":
		message = "must not be null: leave it out instead"
	case "enum":
		message = "must be one of " + enumNames(schema)
	case "minimum", "exclusiveMinimum":
		message = fmt.Sprintf("must be at least %.0f", *schema.Min)
	case "maximum", "exclusiveMaximum":
		message = fmt.Sprintf("must be at most %.0f", *schema.Max)
		if *schema.Max > 1e18 {
			message = "must be a whole number of at most 64 bits"
		}
	case "minLength":
		message = fmt.Sprintf("must have at least %d characters", schema.MinLength)
	case "maxLength":
		message = fmt.Sprintf("must have at most %d characters", *schema.MaxLength)
	case "maxProperties":
		message = fmt.Sprintf("must have at most %d members", *schema.MaxProps)
	case "pattern", "format":
		message = "has characters or a form that are not allowed"
		if schema.Format != "" {
			message = "must be a valid " + schema.Format
		}
	default:
		message = "is not valid"
	}
	add(orBody(clip(field)), message)
}

// clip keeps a made-up member name from being echoed at length.
func clip(field string) string {
	if len(field) > 80 {
		return field[:80] + "…"
	}
	return field
}

func typeName(schema *openapi3.Schema) string {
	switch {
	case schema.Type.Is("integer"):
		return "a whole number without a decimal point or exponent, not in quotes"
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
