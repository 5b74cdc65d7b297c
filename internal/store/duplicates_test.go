package store_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// draftLike makes a payout that asks for the same as every other with this mark.
func (b *fixture) draftLike(t *testing.T, reference, mark string) *payment.Order {
	t.Helper()
	o := b.draft(t, reference, 500)
	o.Kind, o.Fingerprint = gateway.KindPayout, bytes.Repeat([]byte(mark), 32)
	return o
}

// TestAPossibleDuplicateIsAskedAbout holds when a payout is taken for another one, and when not.
func TestAPossibleDuplicateIsAskedAbout(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var hits []payment.LimitHit
	b.LimitHit = func(_ context.Context, h payment.LimitHit) { hits = append(hits, h) }
	like := func(reference string, allow bool) (*payment.Order, error) {
		o := b.draftLike(t, reference, "a")
		o.AllowDuplicate = allow
		stored, _, err := b.CreateOrder(t.Context(), o)
		return stored, err
	}
	asked := func(reference string, about *payment.Order) {
		t.Helper()
		_, err := like(reference, false)
		require.Equal(t, payment.CodePossibleDuplicate, payment.CodeOf(err), "%v", err)
		e, _ := errors.AsType[*payment.Error](err)
		require.Equal(t, about.ID, *e.DuplicateOf)
		require.Zero(t, b.count(t, "SELECT count(*) FROM order_references WHERE reference = $1", reference))
	}
	_, err := like("before", false)
	require.NoError(t, err)
	rule := payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDuplicate, Kind: gateway.KindPayout}
	b.setLimit(t, rule, "first")
	_, err = like("observed-1", false)
	require.NoError(t, err, "nothing is known of what was made before the limit")
	second, err := like("observed-2", false)
	require.NoError(t, err)
	require.Len(t, hits, 1)

	rule.Enforced = true
	b.setLimit(t, rule, "first")
	asked("a", second)
	same, err := like("observed-2", false)
	require.NoError(t, err)
	require.Equal(t, second.ID, same.ID, "a repeat is no duplicate")
	_, _, err = b.CreateOrder(t.Context(), b.draftLike(t, "other", "b"))
	require.NoError(t, err)
	b.clock.Add(20 * time.Hour)
	meant, err := like("meant", true)
	require.NoError(t, err)
	b.clock.Add(20 * time.Hour)
	asked("b", meant)
	b.clock.Add(4 * time.Hour)
	later, err := like("b", false)
	require.NoError(t, err)
	asked("c", later)
	b.report(t, later.Key(), payment.StatusFailed)
	paid, err := like("c", false)
	require.NoError(t, err, "what failed is made anew")
	b.report(t, paid.Key(), payment.StatusFailed)
	_, err = b.pool.Exec(t.Context(), "UPDATE orders SET superseded_by = gen_random_uuid() WHERE id = $1", paid.ID)
	require.NoError(t, err)
	asked("d", paid) // it was paid after all
}

// An order that was allowed beside another is asked about, whatever becomes of the other, and the other whatever becomes of it.
func TestAnAllowedDuplicateIsAskedAbout(t *testing.T) {
	t.Parallel()
	for _, ended := range []string{"first", "second"} {
		b := newFixture(t)
		b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDuplicate, Kind: gateway.KindPayout, Enforced: true}, "first")
		like := func(reference string, allow bool) (*payment.Order, error) {
			o := b.draftLike(t, reference, "a")
			o.AllowDuplicate = allow
			stored, _, err := b.CreateOrder(t.Context(), o)
			return stored, err
		}
		made := map[string]*payment.Order{}
		var err error
		made["first"], err = like("first", false)
		require.NoError(t, err)
		made["second"], err = like("second", true)
		require.NoError(t, err)
		b.report(t, made[ended].Key(), payment.StatusFailed)
		delete(made, ended)
		_, err = like("third", false)
		require.Equal(t, payment.CodePossibleDuplicate, payment.CodeOf(err), "%v", err)
		e, _ := errors.AsType[*payment.Error](err)
		for _, left := range made {
			require.Equal(t, left.ID, *e.DuplicateOf)
			b.report(t, left.Key(), payment.StatusFailed)
		}
		_, err = like("third", false)
		require.NoError(t, err, "neither moved money")
	}
}

func TestOfManyDuplicatesAtOnceOneIsMade(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDuplicate, Kind: gateway.KindPayout, Enforced: true}, "first")
	drafts := make([]*payment.Order, 30)
	for i := range drafts {
		drafts[i] = b.draftLike(t, "r"+strconv.Itoa(i), "a")
	}
	made := 0
	for _, err := range race(len(drafts), func(i int) error { return b.insist(t.Context(), drafts[i]) }) {
		if err == nil {
			made++
			continue
		}
		require.Equal(t, payment.CodePossibleDuplicate, payment.CodeOf(err), "%v", err)
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders"))
}
