package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"payrelay/internal/gateway"
)

// maxDepth is how deep members may be nested.
const maxDepth = 16

// errDeep is of a body with more levels than that.
var errDeep = errors.New("it is nested too deep")

// parsed is a body as it was read, once. The request hash, the validation and the decoding all use this value.
type parsed struct {
	raw []byte
	// value is made of map[string]any, []any, string, json.Number, bool and nil.
	value any
	// wrong is what is wrong with the values whatever the contract says of them.
	wrong problems
	// cards are the members that hold a card number and must not.
	cards problems
	// reference is how the shop's reference was judged, empty where there is none.
	reference string
	// halves says that a text has half of a surrogate pair, which decoding makes U+FFFD of.
	halves bool
}

// canonical is the value with sorted members and without white space, so that two bodies that mean the same are the same.
func (p *parsed) canonical() []byte {
	text, err := json.Marshal(p.value)
	if err != nil || p.halves { // what cannot be decoded is like nothing but itself
		clear(text)
		return bytes.Clone(p.raw)
	}
	return text
}

// hideCodes takes the security codes of cards out of the value until the function that it returns is called.
func (p *parsed) hideCodes() (show func()) {
	codes := codesIn(p.value, nil)
	for _, c := range codes {
		delete(c.object, memberCode)
	}
	return func() {
		for _, c := range codes {
			c.object[memberCode] = c.value
		}
	}
}

// memberCode is the member that holds a card's security code, wherever it stands.
const memberCode = "cvc"

// securityCode is such a member of an object.
type securityCode struct {
	object map[string]any
	value  any
}

func codesIn(value any, found []securityCode) []securityCode {
	object, _ := value.(map[string]any)
	for name, inner := range object {
		switch name {
		case memberCode:
			found = append(found, securityCode{object, inner})
		case "metadata": // the shop's own
		default:
			found = codesIn(inner, found)
		}
	}
	return found
}

// without returns the body's members but for some. It reports false if the rest would be misread: the body is no object,
// or a member is missing that decides what others mean.
func (p *parsed) without(fields []gateway.FieldError) (map[string]any, bool) {
	object, ok := p.value.(map[string]any)
	if !ok {
		return nil, false
	}
	rest := copied(object)
	for _, f := range fields {
		if f.Field == "flow" {
			return nil, false
		}
		at, path := rest, strings.Split(f.Field, ".")
		for _, name := range path[:len(path)-1] {
			at, _ = at[name].(map[string]any)
		}
		delete(at, path[len(path)-1])
	}
	return rest, true
}

// copied returns a copy of an object and of the objects in it.
func copied(object map[string]any) map[string]any {
	out := maps.Clone(object)
	for name, value := range out {
		if inner, ok := value.(map[string]any); ok {
			out[name] = copied(inner)
		}
	}
	return out
}

// duplicateError lists the members that a body names twice, of which different readers take a different one.
type duplicateError struct{ members problems }

// Error implements error.
func (e *duplicateError) Error() string {
	reported := make([]string, len(e.members))
	for i, f := range e.members {
		reported[i] = f.Field + " " + f.Message
	}
	return strings.Join(reported, "; ")
}

// parseJSON reads one JSON value strictly. Values that no provider, log or database wants are listed in the result: control
// characters, halves of surrogate pairs, card numbers where none belong, and numbers that are not whole. Errors do not
// repeat the body.
func parseJSON(body []byte) (*parsed, error) {
	if !utf8.Valid(body) { // which the decoder would mend
		return nil, badSyntax(body)
	}
	r := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(body)), parsed: parsed{raw: body}}
	r.UseNumber()
	value, err := r.read("", 0)
	if err == nil {
		if _, end := r.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	switch {
	case errors.Is(err, errDeep):
		return nil, cmp.Or(badSyntax(body), err)
	case err != nil:
		return nil, cmp.Or(badSyntax(body), errors.New("it cannot be read")) // an error of the decoder repeats the body
	case len(r.duplicates) > 0:
		return nil, &duplicateError{r.duplicates}
	}
	r.value = value
	r.cards, r.reference = judgeCards(r.texts)
	return &r.parsed, nil
}

// jsonReader reads a body token by token, and collects what is wrong with it.
type jsonReader struct {
	*json.Decoder
	parsed
	texts      []bodyText
	duplicates problems
}

// token returns the next token and the part of the body that it was read from.
func (r *jsonReader) token() (json.Token, []byte, error) {
	from := r.InputOffset()
	t, err := r.Token()
	return t, bytes.TrimLeft(r.raw[from:r.InputOffset()], jsonSpace+",:"), err
}

// read returns the next value, which stands at path.
func (r *jsonReader) read(path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t, raw, err := r.token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return r.readObject(path, depth)
		}
		return r.readArray(path, depth)
	case json.Number:
		r.texts = append(r.texts, bodyText{path, v.String(), true})
		if strings.ContainsAny(v.String(), ".eE") {
			r.wrong.add(fieldName(path), notWhole(path))
		}
	case string:
		r.texts = append(r.texts, bodyText{path, v, false})
		r.judgeText(path, v, raw, strings.HasPrefix(path, "metadata.") || path == "payment_method.token") // may have more than one line
	}
	return t, nil
}

func (r *jsonReader) readObject(path string, depth int) (any, error) {
	members := map[string]any{}
	for r.More() {
		t, raw, err := r.token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		field := name
		if path != "" {
			field = path + "." + name
		}
		r.judgeText(field, name, raw, false)
		r.texts = append(r.texts, bodyText{field, name, false})
		if _, duplicate := members[name]; duplicate {
			r.duplicates.add(fieldName(field), "stands twice, the second time at "+position(r.raw, int(r.InputOffset())-len(raw)))
		}
		if members[name], err = r.read(field, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.Token()
	return members, err
}

func (r *jsonReader) readArray(path string, depth int) (any, error) {
	list := []any{}
	for r.More() {
		value, err := r.read(path, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := r.Token()
	return list, err
}

func (r *jsonReader) judgeText(path, text string, raw []byte, lines bool) {
	switch {
	case halfSurrogate(raw):
		r.halves = true
		r.wrong.add(fieldName(path), "must not hold half of a surrogate pair (\\ud800 to \\udfff): send both halves, or the character itself in UTF-8")
	case strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) && (!lines || !strings.ContainsRune("\t\r\n", c)) }):
		r.wrong.add(fieldName(path), "must not hold control characters")
	}
}
