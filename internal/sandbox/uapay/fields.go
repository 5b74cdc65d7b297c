package uapay

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// object is a decoded JSON object; numbers are json.Number.
type object map[string]any

func parse(raw []byte) (object, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var o object
	if err := dec.Decode(&o); err != nil || o == nil {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF { //nolint:errorlint // the decoder returns io.EOF itself
		return nil, false
	}
	return o, true
}

func (o object) has(key string) bool {
	v, ok := o[key]
	return ok && v != nil && v != ""
}

func (o object) text(key string) string {
	s, _ := o[key].(string) // another type is no text
	return s
}

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any) // another type is no object
	return m
}

// integer returns a whole number sent as a JSON number.
func (o object) integer(key string) (int64, bool) {
	n, ok := o[key].(json.Number)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(n.String(), 10, 64)
	return v, err == nil
}

// texts returns a list of strings.
func (o object) texts(key string) ([]string, bool) {
	list, ok := o[key].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, isText := v.(string)
		if !isText {
			return nil, false
		}
		out = append(out, s)
	}
	return out, ok
}

// seconds reads iat, which clients send as a number, with a fraction or quoted (uapay.md 13).
func (o object) seconds(key string) (float64, bool) {
	var text string
	switch v := o[key].(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// same compares two JSON objects; an absent one equals an empty one.
func same(a, b object) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// complaints are the fields of a FORMAT_ERROR by place (params or data) and name.
type complaints map[string]map[string]string

func (c complaints) add(place, name, code string) {
	if c[place] == nil {
		c[place] = map[string]string{}
	}
	if c[place][name] == "" {
		c[place][name] = code
	}
}

// checker collects what is wrong with a request.
type checker struct {
	params, data object
	found        complaints
}

func (c *call) check() *checker {
	return &checker{params: c.params, data: c.data, found: complaints{}}
}

func (k *checker) place(name string) object {
	if name == "params" {
		return k.params
	}
	return k.data
}

func (k *checker) need(place string, names ...string) *checker {
	for _, n := range names {
		if !k.place(place).has(n) {
			k.found.add(place, n, FieldRequired)
		}
	}
	return k
}

func (k *checker) ok(place, name string, ok bool) *checker {
	if k.place(place).has(name) && !ok {
		k.found.add(place, name, FieldFormat)
	}
	return k
}

// text complains about fields that are not text of at most 255 characters.
func (k *checker) text(place string, names ...string) *checker {
	for _, n := range names {
		s, ok := k.place(place)[n].(string)
		k.ok(place, n, ok && len([]rune(s)) <= 255)
	}
	return k
}

// amount complains unless a field that is present is a positive whole number of kopecks.
func (k *checker) amount(place, name string) *checker {
	v, ok := k.place(place).integer(name)
	return k.ok(place, name, ok && v > 0)
}

func (k *checker) oneOf(place, name string, allowed ...string) *checker {
	s := k.place(place).text(name)
	for _, a := range allowed {
		if s == a {
			return k
		}
	}
	return k.ok(place, name, false)
}

func (k *checker) url(place string, names ...string) *checker {
	for _, n := range names {
		k.ok(place, n, webAddress(k.place(place).text(n)))
	}
	return k
}

func (k *checker) bad() *answer {
	if len(k.found) == 0 {
		return nil
	}
	a := reject(CodeFormat, "request failed validation")
	a.fields = k.found
	return &a
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// scrub returns a copy of a request or answer without secrets: tokens, CVV keys,
// security codes, confirmation codes and challenge messages keep their length only.
func scrub(o map[string]any) map[string]any {
	if o == nil {
		return nil
	}
	out := make(map[string]any, len(o))
	for k, v := range o {
		out[k] = scrubValue(k, v)
	}
	return out
}

func scrubValue(key string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		return scrub(x)
	case object:
		return scrub(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = scrubValue(key, x[i])
		}
		return out
	}
	switch strings.ToLower(key) {
	case "token", "key", "securitycode", "cvv", "pareq", "pares":
		if s, ok := v.(string); ok {
			return "[" + strconv.Itoa(len(s)) + " characters]"
		}
		return "[hidden]"
	case "code": // an error's code is a word, a payer's is digits
		if s, ok := v.(string); ok && strings.Trim(s, "0123456789") == "" {
			return "[" + strconv.Itoa(len(s)) + " characters]"
		}
	}
	return v
}
