package orderid_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/orderid"
)

var kinds = []gateway.Kind{gateway.KindPayment, gateway.KindRefund, gateway.KindPayout, gateway.KindPayoutCard, gateway.KindTransfer}

func key(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

// subject draws a subject.
func subject(r *rand.Rand) orderid.Subject {
	var shop uuid.UUID
	for i := range shop {
		shop[i] = byte(r.IntN(256))
	}
	return orderid.Subject{
		ShopNumber: 1 + r.Uint32N(1<<32-1), Shop: shop, Kind: kinds[r.IntN(len(kinds))], Reference: fmt.Sprint("ref-", r.Uint64()), Attempt: 1 + r.IntN(orderid.LargestAttempt),
	}
}

func TestWhatAnIDSaysIsReadBack(t *testing.T) {
	t.Parallel()
	c, r := orderid.New(key('k')), rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		s := subject(r)
		id, err := c.Make(s)
		require.NoError(t, err)
		require.Regexp(t, `^pr-[b-v]{32}$`, id)
		read, ok := c.Read(id)
		require.True(t, ok)
		require.Equal(t, orderid.Content{ShopNumber: s.ShopNumber, Kind: s.Kind, Attempt: s.Attempt}, read)
		require.True(t, orderid.HasForm(id))
	}
}

func TestTheSameSubjectHasTheSameID(t *testing.T) {
	t.Parallel()
	s := subject(rand.New(rand.NewPCG(3, 4)))
	first, err := orderid.New(key('k')).Make(s)
	require.NoError(t, err)
	second, err := orderid.New(key('k')).Make(s) // another process, with the key from the database
	require.NoError(t, err)
	require.Equal(t, first, second)
	other, err := orderid.New(key('o')).Make(s)
	require.NoError(t, err)
	require.NotEqual(t, first, other)
}

// TestNoTwoSubjectsShareAnID changes one thing at a time, and draws many.
func TestNoTwoSubjectsShareAnID(t *testing.T) {
	t.Parallel()
	c, r := orderid.New(key('k')), rand.New(rand.NewPCG(5, 6))
	seen := map[string]orderid.Subject{}
	add := func(s orderid.Subject) {
		id, err := c.Make(s)
		require.NoError(t, err)
		earlier, twice := seen[id]
		require.False(t, twice, "%+v and %+v share an id", earlier, s)
		seen[id] = s
	}
	for range 500 {
		s := subject(r)
		for _, kind := range kinds {
			s.Kind = kind
			for s.Attempt = 1; s.Attempt <= orderid.LargestAttempt; s.Attempt++ {
				add(s)
			}
		}
		s.Attempt = 1
		s.Reference += "x"
		add(s)
		s.ShopNumber ^= 1 << 31
		if s.ShopNumber != 0 {
			add(s)
		}
		s.Shop[0]++
		add(s)
	}
}

func TestForeignIDsAreRejected(t *testing.T) {
	t.Parallel()
	c, r := orderid.New(key('k')), rand.New(rand.NewPCG(7, 8))
	own, err := c.Make(subject(r))
	require.NoError(t, err)
	for _, id := range []string{
		"", "pr-", "pr-1", own[3:], own[:len(own)-1], own + "b", strings.ToUpper(own), "PR" + own[2:], "pr-" + strings.Repeat("a", 32), " " + own, own[:10] + "é" + own[12:],
		"pr-4f5eba9bbe11e4f2f5a9ba6f8d0692fc", uuid.NewString(),
	} {
		_, ok := c.Read(id)
		require.False(t, ok, "%q", id)
	}
	// An id of another key says something by chance only, and hardly ever a shop that exists.
	other, foreign, shops := orderid.New(key('o')), 0, 0
	for range 5000 {
		id, err := other.Make(subject(r))
		require.NoError(t, err)
		if read, ok := c.Read(id); ok {
			foreign++
			if read.ShopNumber <= 10_000 {
				shops++
			}
		}
	}
	require.Less(t, foreign, 5000*2/5)
	require.Zero(t, shops)
}

func TestTheFormOfIDsThatWereDrawnIsKnown(t *testing.T) {
	t.Parallel()
	require.True(t, orderid.HasForm("pr-4f5eba9bbe11e4f2f5a9ba6f8d0692fc"))
	for _, id := range []string{"4f5eba9bbe11e4f2f5a9ba6f8d0692fc", "pr-4f5eba9bbe11e4f2f5a9ba6f8d0692f", "pr-of-another-program", "pr-" + strings.Repeat("z", 32)} {
		require.False(t, orderid.HasForm(id), id)
	}
}

func TestAnIDNeedsAllOfItsSubject(t *testing.T) {
	t.Parallel()
	c := orderid.New(key('k'))
	for name, change := range map[string]func(*orderid.Subject){
		"no shop":          func(s *orderid.Subject) { s.ShopNumber = 0 },
		"an unknown kind":  func(s *orderid.Subject) { s.Kind = "other" },
		"no attempt":       func(s *orderid.Subject) { s.Attempt = 0 },
		"one attempt more": func(s *orderid.Subject) { s.Attempt = orderid.LargestAttempt + 1 },
	} {
		s := subject(rand.New(rand.NewPCG(9, 10)))
		change(&s)
		_, err := c.Make(s)
		require.Error(t, err, name)
	}
}
