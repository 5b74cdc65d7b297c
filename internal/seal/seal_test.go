package seal_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/seal"
)

func TestASealIsOfItsKeyTableAndRow(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	s := seal.New(key)
	row := func(table, name string) *seal.Row { return seal.Of(table).Text(name) }
	made := s.Seal(row("shops", "books"))
	require.Len(t, made, seal.Size)
	require.True(t, s.Matches(row("shops", "books"), made))
	require.True(t, seal.New(key).Matches(row("shops", "books"), made))
	require.False(t, s.Matches(row("shops", "bikes"), made))
	require.False(t, s.Matches(row("accounts", "books"), made))
	require.False(t, seal.New(bytes.Repeat([]byte{8}, 32)).Matches(row("shops", "books"), made))
	require.False(t, s.Matches(row("shops", "books"), nil))
	require.False(t, s.Matches(row("shops", "books"), made[:8]))
}

// TestDifferentRowsHaveDifferentSeals compares all pairs of rows that a careless encoding would confuse.
func TestDifferentRowsHaveDifferentSeals(t *testing.T) {
	t.Parallel()
	s := seal.New(make([]byte, 32))
	text, at := "a", time.UnixMicro(1)
	rows := map[string]*seal.Row{
		"two texts":            seal.Of("t").Text("ab").Text("c"),
		"the border moved":     seal.Of("t").Text("a").Text("bc"),
		"one text":             seal.Of("t").Text("abc"),
		"a table of that name": seal.Of("tabc"),
		"null":                 seal.Of("t").Null(),
		"no value":             seal.Of("t"),
		"an empty text":        seal.Of("t").Text(""),
		"empty bytes":          seal.Of("t").Bytes([]byte{}),
		"zero":                 seal.Of("t").Int(0),
		"one":                  seal.Of("t").Int(1),
		"minus one":            seal.Of("t").Int(-1),
		"false":                seal.Of("t").Bool(false),
		"true":                 seal.Of("t").Bool(true),
		"a time":               seal.Of("t").Time(at),
		"bytes":                seal.Of("t").Bytes([]byte("abc")),
		"an empty list":        seal.Of("t").List(nil),
		"a list of one":        seal.Of("t").List([]string{"ab"}),
		"a list of two":        seal.Of("t").List([]string{"a", "b"}),
		"a list and a text":    seal.Of("t").List([]string{"a"}).Text("b"),
		"a value":              seal.Nullable(seal.Of("t"), &text, (*seal.Row).Text),
	}
	names := map[string]string{}
	for name, row := range rows {
		made := string(s.Seal(row))
		require.Empty(t, names[made], "%q has the seal of another row", name)
		names[made] = name
	}
	require.Equal(t, s.Seal(seal.Of("t").Null()), s.Seal(seal.Of("t").Bytes(nil)))
	require.Equal(t, s.Seal(seal.Of("t").Null()), s.Seal(seal.Nullable(seal.Of("t"), nil, (*seal.Row).Int)))
}

func TestATimeIsSealedAsPostgresKeepsIt(t *testing.T) {
	t.Parallel()
	s := seal.New(make([]byte, 32))
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	kept := at.Truncate(time.Microsecond).In(time.FixedZone("", 7200))
	require.Equal(t, s.Seal(seal.Of("t").Time(at)), s.Seal(seal.Of("t").Time(kept)))
}

func TestASealerServesManyAtOnce(t *testing.T) {
	t.Parallel()
	s := seal.New(make([]byte, 32))
	want := s.Seal(seal.Of("t").Int(5))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if !s.Matches(seal.Of("t").Int(5), want) {
					t.Error("another seal")
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkSeal(b *testing.B) {
	s := seal.New(make([]byte, 32))
	id := [16]byte{1}
	b.ReportAllocs()
	for b.Loop() {
		r := seal.Of("orders").UUID(id).UUID(id).UUID(id)
		for range 10 {
			r.Text("some text").Int(12345)
		}
		_ = s.Seal(r)
	}
}
