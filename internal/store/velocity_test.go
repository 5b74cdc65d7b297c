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

// direct makes a direct payment with a card, named by a letter; "" is a payment on the provider's form.
func (b *fixture) direct(t *testing.T, reference, card string) (*payment.Order, error) {
	t.Helper()
	o := b.draft(t, reference, 100)
	if card != "" {
		o.CardFingerprint = bytes.Repeat([]byte(card), 32)
	}
	stored, _, err := b.CreateOrder(t.Context(), o)
	return stored, err
}

// ends fails payments of a card, for a reason.
func (b *fixture) ends(t *testing.T, card string, reasons ...gateway.FailureCategory) {
	t.Helper()
	for _, reason := range reasons {
		o, err := b.direct(t, "ends-"+strconv.Itoa(b.count(t, "SELECT count(*) FROM orders")), card)
		require.NoError(t, err)
		_, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
			r := b.newReport(payment.StatusFailed)
			r.AsOf, r.Failure = o.Sequence, &gateway.Failure{Category: reason}
			o.Record(r)
			return nil
		})
		require.NoError(t, err)
	}
}

func (b *fixture) setDeclines(t *testing.T, rule payment.LimitRule, orders int64) {
	t.Helper()
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: rule, Orders: orders, Enforced: true}, "first")
}

// TestOnlyDeclinesOfIssuersCount holds which failures count against a shop, and when it may go on.
func TestOnlyDeclinesOfIssuersCount(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var hits []payment.LimitHit
	b.LimitHit = func(_ context.Context, h payment.LimitHit) { hits = append(hits, h) }
	b.setDeclines(t, payment.LimitDeclines, 3)
	b.ends(
		t, "", gateway.FailureUnavailable, gateway.FailureAbandoned, gateway.FailureAuthentication, gateway.FailureAuthTimeout, gateway.FailureInvalid, gateway.FailureLimit,
		gateway.FailureUnknown, gateway.FailureDuplicate,
	)
	b.report(t, b.create(t, "unknown", 100).Key(), payment.StatusUnknown)
	b.report(t, b.create(t, "canceled", 100).Key(), payment.StatusCanceled)
	b.ends(t, "a", gateway.FailureDeclined)
	b.clock.Add(30 * time.Minute)
	b.ends(t, "", gateway.FailureFunds, gateway.FailureFraud)
	require.Empty(t, hits)
	_, err := b.direct(t, "next", "b")
	require.Equal(t, payment.CodeVelocityExceeded, payment.CodeOf(err), "%v", err)
	require.Len(t, hits, 1)
	e, _ := errors.AsType[*payment.Error](err)
	require.GreaterOrEqual(t, e.RetryAfter, 30*time.Minute)
	require.LessOrEqual(t, e.RetryAfter, 33*time.Minute)
	b.clock.Add(e.RetryAfter)
	_, err = b.direct(t, "next", "b")
	require.NoError(t, err)
}

func TestACardThatIsDeclinedTooOftenIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setDeclines(t, payment.LimitCardDeclines, 2)
	b.ends(t, "a", gateway.FailureDeclined, gateway.FailureFunds)
	b.ends(t, "b", gateway.FailureDeclined)
	b.ends(t, "", gateway.FailureDeclined, gateway.FailureDeclined, gateway.FailureDeclined)
	_, err := b.direct(t, "same-card", "a")
	require.Equal(t, payment.CodeVelocityExceeded, payment.CodeOf(err), "%v", err)
	b.ends(t, "b", gateway.FailureDeclined)
	b.clock.Add(26 * time.Hour)
	_, err = b.direct(t, "same-card", "a")
	require.NoError(t, err)
}

// TestDirectCardPaymentsArePaused holds that a pause is at once, spares the provider's form and what exists, and ends by an operator only.
func TestDirectCardPaymentsArePaused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setDeclines(t, payment.LimitPause, 3)
	first, err := b.direct(t, "first", "a")
	require.NoError(t, err)
	b.ends(t, "", gateway.FailureDeclined, gateway.FailureDeclined, gateway.FailureDeclined)
	for range 2 { // before this replica knows of it, and after
		_, err = b.direct(t, "paused", "a")
		require.Equal(t, payment.CodeCardPaymentsPaused, payment.CodeOf(err), "%v", err)
		b.ExpireDirectory()
	}
	_, err = b.direct(t, "form", "")
	require.NoError(t, err)
	same, err := b.direct(t, "first", "a")
	require.NoError(t, err)
	require.Equal(t, first.ID, same.ID)
	b.clock.Add(48 * time.Hour)
	_, err = b.direct(t, "paused", "a")
	require.Equal(t, payment.CodeCardPaymentsPaused, payment.CodeOf(err), "time does not end it: %v", err)

	require.NoError(t, b.SetPaused(t.Context(), "first", false))
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.SetPaused(t.Context(), "first", false)))
	_, err = b.direct(t, "paused", "a")
	require.NoError(t, err)
	require.NoError(t, b.SetPaused(t.Context(), "first", true))
	list, err := b.PausedShops(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = b.direct(t, "by hand", "a")
	require.Equal(t, payment.CodeCardPaymentsPaused, payment.CodeOf(err), "%v", err)
}
