package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// rowSet is how rows of a struct's type go to the database in one statement: an array for each field, unnested there. Arrays
// are of types that also a connection without prepared statements can send, since pgsession has registered those of ids.
type rowSet struct {
	names, picks []string // columns, and how each is read from the row u
	from         string   // the rows, as an item of FROM
}

// rowSetOf describes the type T, whose fields have their column's name as tag db.
func rowSetOf[T any]() rowSet {
	t := reflect.TypeFor[T]()
	var s rowSet
	arrays := make([]string, t.NumField())
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("db")
		array, cast := arrayOf(t.Field(i).Type)
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, array)
		s.names, s.picks = append(s.names, name), append(s.picks, "u."+name+cast)
	}
	s.from = "unnest(" + strings.Join(arrays, ", ") + ") AS u(" + strings.Join(s.names, ", ") + ")"
	return s
}

// arrayOf returns the type of a field in an array, and the cast to its column's.
func arrayOf(field reflect.Type) (element, cast string) {
	if field.Kind() == reflect.Pointer {
		field = field.Elem()
	}
	switch field {
	case reflect.TypeFor[uuid.UUID]():
		return "uuid", ""
	case reflect.TypeFor[json.RawMessage]():
		return "text", "::jsonb"
	case reflect.TypeFor[[]byte]():
		return "bytea", ""
	case reflect.TypeFor[time.Time]():
		return "timestamptz", ""
	}
	switch field.Kind() { //nolint:exhaustive // the types that columns have
	case reflect.String:
		return "text", ""
	case reflect.Bool:
		return "bool", ""
	case reflect.Int32:
		return "int4", ""
	case reflect.Int64:
		return "int8", ""
	}
	panic("store: no array of " + field.String())
}

// without returns the columns but for some.
func (s rowSet) without(names ...string) rowSet {
	kept := rowSet{from: s.from}
	for i, name := range s.names {
		if !slices.Contains(names, name) {
			kept.names, kept.picks = append(kept.names, name), append(kept.picks, s.picks[i])
		}
	}
	return kept
}

// insert is the statement that inserts the rows.
func (s rowSet) insert(table string) string {
	return "INSERT INTO " + table + " (" + strings.Join(s.names, ", ") + ") SELECT " + strings.Join(s.picks, ", ") + " FROM " + s.from
}

// keyed is the condition that joins a table to the rows u by columns of an index, the first of it first. As ordinary equalities they
// could become a plan that reads the whole index, made while the table is small and kept when it is not. With = ANY of the first
// column there is no join but by key. One of a later column could be left out of the index's part.
func keyed(table string, columns ...string) string {
	equal := make([]string, len(columns))
	for i, name := range columns {
		equal[i] = table + "." + name + " = u." + name
	}
	equal[0] = table + "." + columns[0] + " = ANY (ARRAY[u." + columns[0] + "])"
	return strings.Join(equal, " AND ")
}

// assignments are the columns of an UPDATE.
func (s rowSet) assignments() string {
	set := make([]string, len(s.names))
	for i, name := range s.names {
		set[i] = name + " = " + s.picks[i]
	}
	return strings.Join(set, ", ")
}

// arrays returns the arguments of a statement over rows.
func arrays[T any](rows []T) []any {
	t, v := reflect.TypeFor[T](), reflect.ValueOf(rows)
	args := make([]any, t.NumField())
	for i := range args {
		switch field := t.Field(i).Type; field {
		case reflect.TypeFor[json.RawMessage]():
			texts := make([]*string, len(rows))
			for r := range rows {
				texts[r] = asText(v.Index(r).Field(i).Bytes())
			}
			args[i] = texts
		default:
			column := reflect.MakeSlice(reflect.SliceOf(field), len(rows), len(rows))
			for r := range rows {
				column.Index(r).Set(v.Index(r).Field(i))
			}
			args[i] = column.Interface()
		}
	}
	return args
}

// asText writes JSON as text; none is NULL.
func asText(value json.RawMessage) *string {
	if value == nil {
		return nil
	}
	s := string(value)
	return &s
}
