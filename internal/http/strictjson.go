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

// twiceError tells of the members that a body names twice, of which different readers take a different one.
type twiceError struct{ members problems }

// Error implements error.
func (e *twiceError) Error() string {
	reported := make([]string, len(e.members))
	for i, f := range e.members {
		reported[i] = f.Field + " " + f.Message
	}
	return strings.Join(reported, "; ")
}

// canonicalJSON reads one JSON value strictly and writes it with sorted members and without white space, so that two
// bodies that mean the same are the same. It returns what is wrong with the values as well, whatever the contract says of
// them: control characters, which no provider, log or database wants, halves of surrogate pairs, card numbers where texts
// are stored, and numbers that are not whole. Errors do not repeat the body.
func canonicalJSON(body []byte) (canonical []byte, values problems, err error) {
	if err := badSyntax(body); err != nil {
		return nil, nil, err
	}
	d := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(body)), body: body}
	d.UseNumber()
	var out bytes.Buffer
	err = canonicalValue(d, &out, "", 0)
	switch {
	case errors.Is(err, errDeep):
		return nil, nil, err
	case err != nil:
		return nil, nil, errors.New("it cannot be read")
	case len(d.twice) > 0:
		return nil, nil, &twiceError{d.twice}
	case d.halves: // what cannot be decoded is like nothing but itself
		clear(out.Bytes())
		return bytes.Clone(body), d.values, nil
	}
	return out.Bytes(), d.values, nil
}

// jsonReader reads a body and collects what is wrong with it.
type jsonReader struct {
	*json.Decoder
	body   []byte
	values problems // what is wrong with values
	twice  problems // the members that are named twice
	halves bool     // a text has half of a surrogate pair, which decoding makes U+FFFD of
}

// token returns the next token and the part of the body that it was read from.
func (d *jsonReader) token() (json.Token, []byte, error) {
	from := d.InputOffset()
	t, err := d.Token()
	return t, bytes.TrimLeft(d.body[from:d.InputOffset()], jsonSpace+",:"), err
}

func (d *jsonReader) judgeText(path, text string, raw []byte, lines bool) {
	switch {
	case halfSurrogate(raw):
		d.halves = true
		d.values.add(fieldName(path), "must not hold half of a surrogate pair (\\ud800 to \\udfff): send both halves, or the character itself in UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && (!lines || !strings.ContainsRune("\t\r\n", r)) }):
		d.values.add(fieldName(path), "must not hold control characters")
	case stored(path) && holdsCardNumber(text):
		d.values.add(fieldName(path), "looks like a card number; a card belongs into a member card and nowhere else")
	}
}

func (d *jsonReader) judgeNumber(path string, n json.Number) {
	if strings.ContainsAny(n.String(), ".eE") {
		d.values.add(fieldName(path), "must be "+wholeNumber)
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
		d.judgeNumber(path, v)
		out.WriteString(v.String())
	default:
		if s, ok := v.(string); ok {
			d.judgeText(path, s, raw, strings.HasPrefix(path, "metadata.") || path == "payment_method.token") // may have more than one line
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
		d.judgeText(field, name, raw, false)
		if _, twice := members[name]; twice {
			d.twice.add(fieldName(field), "stands twice, the second time at "+position(d.body, int(d.InputOffset())-len(raw)))
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
