package kit

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"payrelay/internal/gateway"
)

// Text is a string, a number or a truth value; null is empty.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = Text(s)
		return nil
	case '{', '[':
		return errors.New("a structure where text belongs")
	case 'n':
		return nil
	}
	*t = Text(b)
	return nil
}

// Number is an integer, or text that holds one. It is not set where the provider wrote no value.
type Number struct {
	Value int64
	Set   bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return errors.New("not an integer")
	}
	*n = Number{v, true}
	return nil
}

// Pointer returns the value, nil if there is none.
func (n Number) Pointer() *int64 {
	if !n.Set {
		return nil
	}
	return &n.Value
}

// Is reports whether the value is v.
func (n Number) Is(v int64) bool { return n.Set && n.Value == v }

// Put adds the value, if there is one, to provider data.
func (n Number) Put(data gateway.ProviderData, name string) {
	if n.Set {
		data[name] = strconv.FormatInt(n.Value, 10)
	}
}
