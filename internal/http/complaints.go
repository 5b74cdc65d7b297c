package httpapi

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"payrelay/internal/card/detect"
	"payrelay/internal/plural"
)

// addValue adds every rule of the contract that a value breaks. at is where the value stands, "" for the body. No value is
// repeated.
func (p *problems) addValue(schema *openapi3.Schema, value any, at string) {
	p.addErrors(schema.VisitJSON(value, asRequest...), at)
}

// asRequest is how a request's values are held against a schema.
var asRequest = []openapi3.SchemaValidationOption{
	openapi3.VisitAsRequest(), openapi3.MultiErrors(), openapi3.WithStringFormatValidators(formats),
	openapi3.SetSchemaErrorMessageCustomizer(func(e *openapi3.SchemaError) string { return e.Reason }),
}

// addErrors walks through what the validator found.
func (p *problems) addErrors(err error, at string) {
	switch e := err.(type) { //nolint:errorlint // a tree is walked, level by level
	case nil:
	case openapi3.MultiError:
		for _, inner := range e {
			p.addErrors(inner, at)
		}
	case *openapi3.SchemaError:
		p.addSchema(e, at)
	default:
		p.add(orBody(at), "is not valid")
	}
}

func orBody(field string) string {
	if field == "" {
		return "body"
	}
	return field
}

// addSchema says in plain words which rule a member breaks.
func (p *problems) addSchema(e *openapi3.SchemaError, at string) {
	path := e.JSONPointer()
	if at != "" {
		path = slices.Insert(path, 0, at)
	}
	field := strings.Join(path, ".")
	if name := unknownMember(e); name != "" {
		field = strings.TrimPrefix(field+"."+name, ".")
	}
	message := "is not valid"
	if inWords, ok := rules[e.SchemaField]; ok {
		message = inWords(e.Schema)
	}
	switch {
	case e.SchemaField == "nullable" && field == "":
		message = "must be " + typeName(e.Schema)
	case e.SchemaField == "type" && e.Schema.Type.Is("integer"):
		message = notWhole(field)
	}
	p.add(orBody(fieldName(field)), message)
}

// unknownMember is the name of a member that the contract does not have, if that is what e complains about. The path of e ends
// at the object: only the reason, which holds no value, names the member.
func unknownMember(e *openapi3.SchemaError) string {
	if e.SchemaField != "properties" && e.SchemaField != "additionalProperties" {
		return ""
	}
	quoted, ok := strings.CutPrefix(e.Reason, "property ")
	if !ok {
		return ""
	}
	name, _ := strconv.Unquote(strings.TrimSuffix(quoted, " is unsupported"))
	return name
}

// rules says each rule of a schema in words, by the name of its keyword.
var rules = map[string]func(*openapi3.Schema) string{
	"required":             func(*openapi3.Schema) string { return "is required" },
	"properties":           notAMember,
	"additionalProperties": notAMember,
	"type":                 func(s *openapi3.Schema) string { return "must be " + typeName(s) },
	"nullable":             notNull,
	"enum":                 func(s *openapi3.Schema) string { return "must be one of " + enumNames(s) },
	"minimum":              atLeast,
	"exclusiveMinimum":     atLeast,
	"maximum":              atMost,
	"exclusiveMaximum":     atMost,
	"minLength":            tooShort,
	"maxLength": func(s *openapi3.Schema) string {
		return "must have at most " + plural.Of(*s.MaxLength, "character", "characters")
	},
	"maxProperties": func(s *openapi3.Schema) string {
		return "must have at most " + plural.Of(*s.MaxProps, "member", "members")
	},
	"pattern": hasForm,
	"format":  hasForm,
}

func notNull(*openapi3.Schema) string {
	return "must not be null: give it a value, or leave it out if it is optional"
}

func notAMember(*openapi3.Schema) string {
	return "is not a member of this request: check its spelling"
}

func atLeast(s *openapi3.Schema) string { return fmt.Sprintf("must be at least %.0f", *s.Min) }

func atMost(s *openapi3.Schema) string {
	message := fmt.Sprintf("must be at most %.0f", *s.Max)
	if *s.Max == largestExact {
		message += ", the largest number that every JSON reader keeps exactly"
	}
	return message
}

func hasForm(s *openapi3.Schema) string {
	switch s.Format {
	case "":
		return "must be " + forms[s.Pattern]
	case "date-time":
		return "must be a valid date-time, such as 2026-01-31T00:00:00Z"
	case "int32", "int64":
		return "must be a whole number" + rangeOf(s)
	default:
		return "must be a valid " + s.Format
	}
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
	parted := detect.Judge(path) != detect.Clean // a number with dots between its groups
	for i, name := range names {
		if !plainName.MatchString(name) || longNumber.MatchString(name) || detect.Judge(name) != detect.Clean || parted && strings.ContainsAny(name, "0123456789") {
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

// clean reports whether text can be stored and printed.
func clean(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// wholeNumber is the one kind of number that the contract has.
const wholeNumber = "a whole number without a decimal point or exponent, not in quotes"

// notWhole says of a member that it is no whole number, and of a sum in which units it is.
func notWhole(field string) string {
	if strings.HasSuffix(field, "amount") {
		return "must be " + wholeNumber + " (sums are in minor units: 1000 is 10.00 EUR)"
	}
	return "must be " + wholeNumber
}

// rangeOf says between which numbers a value must be, where the contract names both.
func rangeOf(schema *openapi3.Schema) string {
	if schema.Min == nil || schema.Max == nil {
		return ""
	}
	largest := fmt.Sprintf("%.0f", *schema.Max)
	if *schema.Max >= math.MaxInt64 { // which a float cannot hold
		largest = strconv.Itoa(math.MaxInt64)
	}
	return fmt.Sprintf(" between %.0f and %s", *schema.Min, largest)
}

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

func tooShort(s *openapi3.Schema) string {
	if s.MinLength == 1 {
		return "must not be empty"
	}
	return fmt.Sprintf("must have at least %d characters", s.MinLength)
}
