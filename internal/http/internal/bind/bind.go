// Package bind fills a generated model from a JSON value that was parsed before. What it reads was validated against the
// contract; what does not fit all the same is an error that names the member and repeats no value.
package bind

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// Error is a value that does not fit its member.
type Error struct {
	Field string // dotted path of the member, "" for the value itself
	Want  string // what it must be, in words
}

// Error implements error.
func (e *Error) Error() string { return e.Field + " must be " + e.Want }

// To fills the model that target points to. value is made of map[string]any, []any, string, json.Number, bool and nil.
// Members that the model does not have are ignored, and null leaves a member as it is.
func To(value, target any) error {
	return set(reflect.ValueOf(target).Elem(), value, "")
}

func set(to reflect.Value, value any, at string) error {
	if value == nil {
		return nil
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return set(to.Elem(), value, at)
	}
	switch v := value.(type) {
	case string:
		return setText(to, v, at)
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(v)
			return nil
		}
	case json.Number:
		if to.CanInt() {
			n, err := strconv.ParseInt(v.String(), 10, to.Type().Bits())
			if err != nil {
				break
			}
			to.SetInt(n)
			return nil
		}
	case map[string]any:
		return setMembers(to, v, at)
	case []any:
		return setItems(to, v, at)
	}
	return &Error{at, plain(to)}
}

func setText(to reflect.Value, text, at string) error {
	if reader, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if reader.UnmarshalText([]byte(text)) != nil {
			return &Error{at, "written in another way"}
		}
		return nil
	}
	if to.Kind() != reflect.String {
		return &Error{at, plain(to)}
	}
	to.SetString(text)
	return nil
}

// setMembers fills a struct by the names in its json tags, or a map of texts.
func setMembers(to reflect.Value, members map[string]any, at string) error {
	switch to.Kind() { //nolint:exhaustive // the generated models have no other kinds
	case reflect.Struct:
		for i := range to.NumField() {
			name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
			if err := set(to.Field(i), members[name], below(at, name)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		filled := reflect.MakeMapWithSize(to.Type(), len(members))
		for name, value := range members {
			element := reflect.New(to.Type().Elem()).Elem()
			if err := set(element, value, below(at, name)); err != nil {
				return err
			}
			filled.SetMapIndex(reflect.ValueOf(name), element)
		}
		to.Set(filled)
		return nil
	}
	return &Error{at, plain(to)}
}

// setItems fills a list.
func setItems(to reflect.Value, items []any, at string) error {
	if to.Kind() != reflect.Slice {
		return &Error{at, plain(to)}
	}
	filled := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		if err := set(filled.Index(i), item, below(at, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	to.Set(filled)
	return nil
}

func below(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// plain says what a member takes in words.
func plain(to reflect.Value) string {
	switch to.Kind() { //nolint:exhaustive // the generated models have no other kinds
	case reflect.Int, reflect.Int64:
		return "a whole number without a decimal point or exponent, 9223372036854775807 at most"
	case reflect.String:
		return "text in double quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list in brackets"
	}
	return "of another type"
}
