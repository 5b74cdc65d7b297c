package control

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"payrelay/internal/sandbox/names"
)

// read reads a JSON object into a struct. The error names a member that the struct does not have.
func read(raw []byte, into any) error {
	if err := checkFields(raw, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// checkFields compares the members of a JSON object, or of those in a list, with the fields of a struct. JSON of another kind is for
// the decoder to reject.
func checkFields(raw []byte, of reflect.Type) error {
	if of.Kind() == reflect.Slice {
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list)
		for _, one := range list {
			if err := checkFields(one, of.Elem()); err != nil {
				return err
			}
		}
	}
	if of.Kind() != reflect.Struct {
		return nil
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members)
	var known []string
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known = append(known, name)
		if err := checkFields(members[name], f.Type); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := names.Check("field", name, known); err != nil {
			return err
		}
	}
	return nil
}
