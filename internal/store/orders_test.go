package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

func TestOrderComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	require.Empty(t, o.Transitions(), "what was saved is not saved twice")
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, o, got)

	left := 2
	changed, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.AddCall(payment.Call{Operation: "create_payment", Outcome: "requires_action", StartedAt: b.clock.Now(), Duration: 1500 * time.Millisecond, ProviderData: gateway.ProviderData{"code": "0"}})
		r := b.newReport(payment.StatusRequiresAction)
		r.Reason, r.ProviderReference, r.State = "the customer pays", "P-1", map[string]gateway.Secret{"session": "s3cret"}
		r.NextAction = &gateway.NextAction{Type: gateway.ActionPostForm, URL: "https://bank.example", Fields: map[string]string{"a": "b"}, AttemptsLeft: &left}
		r.PaymentMethod = &gateway.MaskedMethod{Type: "card", Masked: "4111 11** **** 1111"}
		require.Equal(t, payment.Apply, o.Record(r))
		at := b.clock.Now().Add(time.Minute)
		o.NextPollAt, o.FirstDenialAt, o.PollsDone, o.Denials = &at, &at, 3, 1
		return nil
	})
	require.NoError(t, err)
	got, err = b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, changed, got)
	require.Equal(t, "s3cret", got.ProviderState["session"].Reveal())
	require.Equal(t, "b", got.NextAction.Fields["a"])

	byReference, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "r-1")
	require.NoError(t, err)
	require.Equal(t, got, byReference)
	page, err := b.Orders(t.Context(), payment.Filter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Equal(t, []*payment.Order{got}, page.Items)

	history, err := b.History(t.Context(), o.Key())
	require.NoError(t, err)
	require.Len(t, history, 2)
	require.Equal(t, payment.Transition{
		Sequence: 2, From: payment.StatusCreated, To: payment.StatusRequiresAction, Source: payment.SourceAnswer,
		ProviderData: gateway.ProviderData{"said": "requires_action"}, At: b.clock.Now(),
	}, history[1])
	calls, err := b.Calls(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, calls[0].Duration)
	require.Equal(t, gateway.ProviderData{"code": "0"}, calls[0].ProviderData)

	failed := b.report(t, b.create(t, "r-2", 5).Key(), payment.StatusFailed)
	got, err = b.Order(t.Context(), failed.Key())
	require.NoError(t, err)
	require.Equal(t, failed, got)
	require.NotNil(t, got.FinalizedAt)
	require.NotNil(t, got.Failure)
}

// A bank asks about an RRN. The order is found by it, also if it contradicts the one that is booked.
func TestOrdersAreFoundByTheirBankReferences(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	for _, rrn := range []string{"318513456789", "318513456790"} {
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
			r := b.newReport(payment.StatusSucceeded)
			r.BankReferences = []string{rrn}
			o.Record(r)
			return nil
		})
		require.NoError(t, err)
	}
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 1, got.DisputesOpen)
	require.Equal(t, map[string]payment.Status{"318513456789": payment.StatusSucceeded, "318513456790": ""}, got.BankReferences)
	for i := range 50 {
		b.create(t, fmt.Sprintf("other-%d", i), 1000)
	}
	for name, found := range map[string]int{"318513456789": 1, "318513456790": 1, "succeeded": 0} {
		orders, err := b.OrdersCalled(t.Context(), name, nil, 10)
		require.NoError(t, err)
		require.Len(t, orders, found, name)
	}
}

func TestNewOrderBeginsWithItsFirstTransition(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.draft(t, "r-1", 1000)
	o.Record(b.newReport(payment.StatusProcessing))
	_, _, err := b.CreateOrder(t.Context(), o)
	require.ErrorContains(t, err, "one transition")
}

func TestOneOfManyWithAReferenceIsTheOrder(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	drafts := make([]*payment.Order, 20)
	for i := range drafts {
		drafts[i] = b.draft(t, "same", int64(100+i))
	}
	ids, fresh := make([]uuid.UUID, len(drafts)), make([]bool, len(drafts))
	errs := race(len(drafts), func(i int) error {
		o, created, err := b.CreateOrder(t.Context(), drafts[i])
		if err == nil {
			ids[i], fresh[i] = o.ID, created
		}
		return err
	})
	require.NoError(t, errors.Join(errs...))
	made := 0
	for i := range drafts {
		require.Equal(t, ids[0], ids[i])
		if fresh[i] {
			made++
		}
	}
	require.Equal(t, 1, made)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM order_transitions"))
}

func TestUpdateThatChangesNothingWritesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.report(t, b.create(t, "r-1", 1000).Key(), payment.StatusProcessing)
	version := func() int { return b.count(t, "SELECT xmin::text::bigint FROM orders") }
	before := version()
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(*payment.Order) error { return nil })
	require.NoError(t, err)
	require.Equal(t, before, version())
	_, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { o.PollsDone++; return nil })
	require.NoError(t, err)
	require.NotEqual(t, before, version())
}

func TestUnchangedSecretsKeepTheirCiphertext(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	set := func(v gateway.Secret) func(*payment.Order) error {
		return func(o *payment.Order) error {
			o.PollsDone++
			o.ProviderState = map[string]gateway.Secret{"s": v}
			o.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://bank.example/" + v.Reveal()}
			return nil
		}
	}
	ciphertext := func() (c [2]string) {
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT encode(provider_state, 'hex'), encode(next_action, 'hex') FROM orders").Scan(&c[0], &c[1]))
		return c
	}
	_, err := b.UpdateOrder(t.Context(), o.Key(), set("one"))
	require.NoError(t, err)
	first := ciphertext()
	_, err = b.UpdateOrder(t.Context(), o.Key(), set("one"))
	require.NoError(t, err)
	require.Equal(t, first, ciphertext())
	_, err = b.UpdateOrder(t.Context(), o.Key(), set("two"))
	require.NoError(t, err)
	second := ciphertext()
	require.NotEqual(t, first[0], second[0])
	require.NotEqual(t, first[1], second[1])
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, "two", got.ProviderState["s"].Reveal())
	require.Equal(t, "https://bank.example/two", got.NextAction.URL)
}

func TestErrorOfTheFunctionSavesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	no := errors.New("no")
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusSucceeded))
		return no
	})
	require.Equal(t, no, err)
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusCreated, got.Status)
	require.Zero(t, b.count(t, "SELECT count(*) FROM notifications"))
	require.Empty(t, b.heard())
}

func TestUpdatesOfOneOrderComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	errs := race(20, func(int) error {
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { o.PollsDone++; return nil })
		return err
	})
	require.NoError(t, errors.Join(errs...))
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, 20, got.PollsDone)
}

func TestConflictIsKept(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.paid(t, "r-1", 1000)
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		require.Equal(t, payment.Conflict, o.Record(b.newReport(payment.StatusFailed)))
		return nil
	})
	require.NoError(t, err)
	conflicts, err := b.Conflicts(t.Context(), o.Key())
	require.NoError(t, err)
	require.Len(t, conflicts, 1)
	require.Equal(t, payment.StatusFailed, conflicts[0].Reported)
	require.Equal(t, gateway.ProviderData{"said": "failed"}, conflicts[0].ProviderData)
	stuck, more, err := b.StuckOrders(t.Context(), nil, time.Hour, 10)
	require.NoError(t, err)
	require.Zero(t, more)
	require.Len(t, stuck, 1)
	require.Equal(t, 1, stuck[0].Conflicts)
	require.Equal(t, payment.StatusSucceeded, stuck[0].Status)
}

func TestWhatAProviderSaysCanBeStored(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusProcessing)
		r.ProviderReference, r.Reason = "a\x00b", "\xff\xfe"
		r.ProviderData = gateway.ProviderData{"nul": "a\x00b", "slash": `\u0000`, "broken": "\xff"}
		o.Record(r)
		return nil
	})
	require.NoError(t, err)
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, "a\ufffdb", got.ProviderReference)
	history, err := b.History(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, gateway.ProviderData{"nul": "a\ufffdb", "slash": `\u0000`, "broken": "\ufffd"}, history[1].ProviderData)

	_, _, err = b.CreateOrder(t.Context(), b.draft(t, "a\x00b", 1000))
	require.Equal(t, payment.CodeInvalid, payment.CodeOf(err))
}

func TestOrdersAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 5 {
		b.create(t, "r-"+strconv.Itoa(i), 1000)
		b.clock.Add(time.Hour)
	}
	parent := b.paid(t, "paid", 1000)
	b.clock.Add(time.Second)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "back", 10))
	require.NoError(t, err)
	references := func(f payment.Filter) (refs []string) {
		f.Shop = b.shop.ID
		page, err := b.Orders(t.Context(), f)
		require.NoError(t, err)
		for _, o := range page.Items {
			refs = append(refs, o.Reference)
		}
		return refs
	}
	begin := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []string{"back", "paid", "r-4", "r-3", "r-2", "r-1", "r-0"}, references(payment.Filter{}))
	require.Equal(t, []string{"back"}, references(payment.Filter{Kind: gateway.KindRefund}))
	require.Equal(t, []string{"paid"}, references(payment.Filter{Status: payment.StatusSucceeded}))
	require.Equal(t, []string{"r-3"}, references(payment.Filter{Reference: "r-3"}))
	require.Equal(t, []string{"back"}, references(payment.Filter{ProviderOrderID: refund.ProviderOrderID}))
	_, err = b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error { o.ProviderReference = "theirs"; return nil })
	require.NoError(t, err)
	require.Equal(t, []string{"back"}, references(payment.Filter{ProviderReference: "theirs"}))
	require.Empty(t, references(payment.Filter{ProviderReference: "theirs", Kind: gateway.KindPayment}))
	require.Equal(t, []string{"back"}, references(payment.Filter{ParentID: refund.ParentID}))
	require.Equal(t, []string{"r-2", "r-1"}, references(payment.Filter{CreatedFrom: begin.Add(time.Hour), CreatedTo: begin.Add(3 * time.Hour)}))
	require.Empty(t, references(payment.Filter{Account: "other"}))
	require.Len(t, references(payment.Filter{Account: "EUR-1"}), 7)
	require.Empty(t, references(payment.Filter{Reference: "' OR true --"}))

	var all []string
	for f := (payment.Filter{Shop: b.shop.ID, Limit: 3}); ; {
		page, err := b.Orders(t.Context(), f)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), 3)
		for _, o := range page.Items {
			all = append(all, o.Reference)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	require.Equal(t, references(payment.Filter{}), all)
	_, err = b.Orders(t.Context(), payment.Filter{Shop: b.shop.ID, Cursor: "???"})
	require.Equal(t, payment.CodeInvalid, payment.CodeOf(err))
}

func TestDueChecksAreLeasedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 30 {
		b.create(t, "r-"+strconv.Itoa(i), 1000)
	}
	keys, err := b.LeaseDuePolls(t.Context(), "fake", 100, 20*time.Second)
	require.NoError(t, err)
	require.Empty(t, keys, "none is due yet")
	b.clock.Add(10 * time.Second)
	keys, err = b.LeaseDuePolls(t.Context(), "other", 100, 20*time.Second)
	require.NoError(t, err)
	require.Empty(t, keys, "another provider's are its own")
	leased := make([][]payment.Key, 8)
	errs := race(len(leased), func(i int) (err error) {
		leased[i], err = b.LeaseDuePolls(t.Context(), "fake", 7, 20*time.Second)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	all := slices.Concat(leased...)
	for len(all) < 30 { // whoever came while others held everything has skipped it
		keys, err := b.LeaseDuePolls(t.Context(), "fake", 7, 20*time.Second)
		require.NoError(t, err)
		require.NotEmpty(t, keys)
		all = append(all, keys...)
	}
	different := map[payment.Key]bool{}
	for _, k := range all {
		different[k] = true
	}
	require.Len(t, all, 30)
	require.Len(t, different, 30)
	b.clock.Add(20 * time.Second)
	keys, err = b.LeaseDuePolls(t.Context(), "fake", 100, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, keys, 30, "a lease that nobody ended runs out")
}

func TestChecksOfUndecidedOrdersComeFirst(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 10 {
		b.report(t, b.create(t, "waiting-"+strconv.Itoa(i), 1000).Key(), payment.StatusRequiresAction)
	}
	b.clock.Add(time.Second)
	var undecided []payment.Key
	for i := range 4 {
		undecided = append(undecided, b.report(t, b.create(t, "lost-"+strconv.Itoa(i), 1000).Key(), payment.StatusUnknown).Key())
	}
	b.exec(t, "UPDATE orders SET next_poll_at = created_at")
	b.clock.Add(time.Minute)
	first, err := b.LeaseDuePolls(t.Context(), "fake", 4, 20*time.Second)
	require.NoError(t, err)
	require.ElementsMatch(t, undecided, first)
	rest, err := b.LeaseDuePolls(t.Context(), "fake", 100, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, rest, 10)
	b.clock.Add(time.Minute)
	all, err := b.LeaseDuePolls(t.Context(), "fake", 6, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, all, 6)
	require.Subset(t, all, undecided, "what places are left are given to orders that wait")
}

// A plan that is made while the table is empty, and kept, must not find an order by reading all the orders of its shop.
func TestPlansMadeBeforeThereAreOrders(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	conn, err := b.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for name, lookup := range map[string]struct{ statement, index string }{
		"by_id":          {"SELECT status FROM orders WHERE shop_id = $1 AND id = $2 FOR NO KEY UPDATE", "orders_pkey"},
		"update":         {"UPDATE orders SET sequence = sequence WHERE shop_id = $1 AND id = $2 AND sequence = 7", "orders_pkey"},
		"reference":      {"SELECT order_id FROM order_references WHERE shop_id = $1 AND kind = 'payment' AND reference = $2::text", "order_references_key"},
		"checks":         {"SELECT order_id FROM open_orders WHERE provider = 'fake' AND next_poll_at <= now() AND status NOT IN ('requires_action', 'authorized') AND $1::uuid <> $2::uuid ORDER BY next_poll_at LIMIT 9", "open_orders_due"},
		"ended":          {"SELECT order_id FROM order_transitions WHERE shop_id = $1 AND to_status = 'failed' AND order_id < $2 ORDER BY order_id DESC LIMIT 9", "order_transitions_ended"},
		"waiting_checks": {"SELECT order_id FROM open_orders WHERE provider = 'fake' AND next_poll_at <= now() AND status IN ('requires_action', 'authorized') AND $1::uuid <> $2::uuid ORDER BY next_poll_at LIMIT 9", "open_orders_due_waiting"},
	} {
		_, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; PREPARE "+name+" AS "+lookup.statement)
		require.NoError(t, err)
		rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+" ('"+b.shop.ID.String()+"', '"+b.shop.ID.String()+"')")
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Contains(t, strings.Join(lines, "\n"), "using "+lookup.index+" ", name)
		_, err = conn.Exec(t.Context(), "DEALLOCATE "+name)
		require.NoError(t, err)
	}
}
