// Package seal makes seals: short keyed hashes over rows of the database. Whoever can write to the database and does not have the
// key cannot make one, so a row that was changed behind the service's back shows.
//
// A row is encoded value by value, each with its kind and its length, so that two different rows never have the same encoding.
// NULL is a value of its own. The encoding begins with its version and the table's name.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// Size is the length of a seal in bytes.
const Size = 16

// version is that of the encoding. A change of it makes every seal invalid.
const version = 1

// The kinds of values.
const (
	kindNull byte = iota
	kindText
	kindBytes
	kindInt
	kindBool
	kindTime
	kindList
)

// Row is the encoding of a row. Its methods add one value each, in the order in which the caller always adds them.
type Row struct{ b []byte }

// Of begins the encoding of a row of a table.
func Of(table string) *Row {
	return (&Row{append(make([]byte, 0, 512), version)}).Text(table)
}

func (r *Row) header(kind byte, length int) {
	r.b = binary.BigEndian.AppendUint32(append(r.b, kind), uint32(length)) //nolint:gosec // Postgres has no value that long
}

func (r *Row) number(kind byte, v int64) *Row {
	r.header(kind, 8)
	r.b = binary.BigEndian.AppendUint64(r.b, uint64(v)) //nolint:gosec // its bits
	return r
}

// Null adds NULL.
func (r *Row) Null() *Row {
	r.header(kindNull, 0)
	return r
}

// Text adds a text.
func (r *Row) Text(v string) *Row {
	r.header(kindText, len(v))
	r.b = append(r.b, v...)
	return r
}

// Bytes adds bytes. Nil is NULL.
func (r *Row) Bytes(v []byte) *Row {
	if v == nil {
		return r.Null()
	}
	r.header(kindBytes, len(v))
	r.b = append(r.b, v...)
	return r
}

// UUID adds the bytes of a UUID.
func (r *Row) UUID(v [16]byte) *Row { return r.Bytes(v[:]) }

// Int adds a number.
func (r *Row) Int(v int64) *Row { return r.number(kindInt, v) }

// Bool adds true or false.
func (r *Row) Bool(v bool) *Row {
	if v {
		return r.number(kindBool, 1)
	}
	return r.number(kindBool, 0)
}

// Time adds a time as Postgres keeps it, to the microsecond.
func (r *Row) Time(v time.Time) *Row { return r.number(kindTime, v.UnixMicro()) }

// List adds a list of texts. Nil is an empty one.
func (r *Row) List(v []string) *Row {
	r.header(kindList, len(v))
	for _, text := range v {
		r.Text(text)
	}
	return r
}

// Nullable adds a value by one of Row's methods, or NULL for nil: seal.Nullable(row, parent, (*seal.Row).Text).
func Nullable[T any](r *Row, v *T, add func(*Row, T) *Row) *Row {
	if v == nil {
		return r.Null()
	}
	return add(r, *v)
}

// Sealer makes and checks seals. It is safe for concurrent use.
type Sealer struct{ hashes sync.Pool }

// New returns the sealer of a key.
func New(key []byte) *Sealer {
	return &Sealer{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// Seal returns the seal of a row.
func (s *Sealer) Seal(r *Row) []byte {
	h := s.hashes.Get().(hash.Hash) //nolint:forcetypeassert // New puts nothing else there
	defer s.hashes.Put(h)
	h.Reset()
	_, _ = h.Write(r.b)
	return h.Sum(make([]byte, 0, sha256.Size))[:Size:Size]
}

// Matches reports whether seal is that of the row. An empty one never is.
func (s *Sealer) Matches(r *Row, seal []byte) bool { return hmac.Equal(s.Seal(r), seal) }
