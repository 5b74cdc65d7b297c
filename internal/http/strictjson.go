package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"unicode"
)

// maxDepth is how deep members may be nested.
const maxDepth = 16

type duplicateError struct{ field string }

func (*duplicateError) Error() string { return "a member stands twice" }

// canonicalJSON reads one JSON value strictly and writes it with sorted members and without white space, so that two
// bodies that mean the same are the same. It returns what is wrong with the texts as well: control characters, which no
// provider, log or database wants, halves of surrogate pairs, and card numbers where texts are stored. Errors do not repeat
// the body.
func canonicalJSON(body []byte) (canonical []byte, texts problems, err error) {
	if err := badSyntax(body); err != nil {
		return nil, nil, err
	}
	d := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(body)), body: body}
	d.UseNumber()
	var out bytes.Buffer
	if err := canonicalValue(d, &out, "", 0); err != nil {
		if _, ok := errors.AsType[*duplicateError](err); ok || errors.Is(err, errDeep) {
			return nil, nil, err
		}
		return nil, nil, errors.New("it cannot be read")
	}
	if d.halves { // what cannot be decoded is like nothing but itself
		clear(out.Bytes())
		return bytes.Clone(body), d.texts, nil
	}
	return out.Bytes(), d.texts, nil
}

// jsonReader reads a body and collects what is wrong with its texts.
type jsonReader struct {
	*json.Decoder
	body   []byte
	texts  problems
	halves bool // a text has half of a surrogate pair, which decoding makes U+FFFD of
}

// token returns the next token and the part of the body that it was read from.
func (d *jsonReader) token() (json.Token, []byte, error) {
	from := d.InputOffset()
	t, err := d.Token()
	return t, d.body[from:d.InputOffset()], err
}

func (d *jsonReader) judge(path, text string, raw []byte, lines bool) {
	switch {
	case halfSurrogate(raw):
		d.halves = true
		d.texts.add(fieldName(path), "must not hold half of a surrogate pair (\\ud800 to \\udfff): send both halves, or the character itself in UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && (!lines || !strings.ContainsRune("\t\r\n", r)) }):
		d.texts.add(fieldName(path), "must not hold control characters")
	case stored(path) && holdsCardNumber(text):
		d.texts.add(fieldName(path), "looks like a card number; a card belongs into a member card and nowhere else")
	}
}

var errDeep = errors.New("it is nested too deep")

func canonicalValue(d *jsonReader, out *bytes.Buffer, path string, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	t, raw, err := d.token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return canonicalObject(d, out, path, depth)
		}
		return canonicalArray(d, out, path, depth)
	case json.Number:
		out.WriteString(v.String())
	default:
		if s, ok := v.(string); ok {
			d.judge(path, s, raw, strings.HasPrefix(path, "metadata.") || path == "payment_method.token") // may have more than one line
		}
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out.Write(text)
		clear(text)
	}
	return nil
}

func canonicalObject(d *jsonReader, out *bytes.Buffer, path string, depth int) error {
	members := map[string][]byte{}
	names := []string{}
	for d.More() {
		t, raw, err := d.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		field := name
		if path != "" {
			field = path + "." + name
		}
		d.judge(field, name, raw, false)
		if _, twice := members[name]; twice {
			return &duplicateError{field}
		}
		var value bytes.Buffer
		if err := canonicalValue(d, &value, field, depth+1); err != nil {
			return err
		}
		members[name] = value.Bytes()
		names = append(names, name)
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	sort.Strings(names)
	out.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			out.WriteByte(',')
		}
		text, err := json.Marshal(name)
		if err != nil {
			return err
		}
		out.Write(text)
		out.WriteByte(':')
		out.Write(members[name])
		clear(members[name])
	}
	out.WriteByte('}')
	return nil
}

func canonicalArray(d *jsonReader, out *bytes.Buffer, path string, depth int) error {
	out.WriteByte('[')
	for first := true; d.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := canonicalValue(d, out, path, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	out.WriteByte(']')
	return err
}
