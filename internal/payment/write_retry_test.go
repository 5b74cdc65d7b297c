package payment

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

var errDatabaseDown = &Error{Code: CodeUnavailable, Message: "down"}

// creatingStore answers CreateOrder and CreateRefund with what its functions return.
type creatingStore struct {
	pollStore
	createOrder, createRefund func(*Order) (*Order, bool, error)
}

func (s *creatingStore) CreateOrder(_ context.Context, o *Order) (*Order, bool, error) {
	return s.createOrder(o)
}

func (s *creatingStore) CreateRefund(_ context.Context, o *Order, check func(OtherRefunds) error) (*Order, bool, error) {
	if err := check(OtherRefunds{}); err != nil {
		return nil, false, err
	}
	return s.createRefund(o)
}

// A write is tried again with pauses that double up to a second, for twenty seconds, while the database cannot be reached, and
// for no other reason.
func TestWhenAWriteIsTriedAgain(t *testing.T) {
	t.Parallel()
	other := errors.New("another reason")
	never := func(error) bool { return false }
	for name, tc := range map[string]struct {
		answers []error // the last one is repeated
		enough  func(error) bool
		tries   int
		err     error
	}{
		"written":                             {answers: []error{nil}, tries: 1},
		"another reason":                      {answers: []error{other}, tries: 1, err: other},
		"back at the third try":               {answers: []error{errDatabaseDown, errDatabaseDown, nil}, tries: 3},
		"another reason at the second try":    {answers: []error{errDatabaseDown, other}, tries: 2, err: other},
		"down, and nothing was sent":          {answers: []error{errDatabaseDown}, enough: func(error) bool { return true }, tries: 1, err: errDatabaseDown},
		"down, and something may be stored":   {answers: []error{errDatabaseDown, nil}, enough: never, tries: 2},
		"another reason, whatever was sent":   {answers: []error{other}, enough: never, tries: 1, err: other},
		"down for longer than anybody waits":  {answers: []error{errDatabaseDown}, tries: 26, err: errDatabaseDown},
		"down for long, and may be stored":    {answers: []error{errDatabaseDown}, enough: never, tries: 26, err: errDatabaseDown},
		"down at first, then nothing is sent": {answers: []error{errDatabaseDown}, enough: onlyLater(), tries: 26, err: errDatabaseDown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin, at := time.Now(), []time.Duration{}
				err := retry(func() error {
					at = append(at, time.Since(begin))
					return tc.answers[min(len(at), len(tc.answers))-1]
				}, tc.enough)
				require.Equal(t, tc.err, err)
				require.Len(t, at, tc.tries)
				pause := 20 * time.Millisecond
				for i := 1; i < len(at); i++ {
					require.Equal(t, pause, at[i]-at[i-1], i)
					pause = min(2*pause, time.Second)
				}
				require.LessOrEqual(t, at[len(at)-1], 21*time.Second)
			})
		})
	}
}

// onlyLater says at every call but the first that nothing was sent. Only the first counts: what came before may be stored.
func onlyLater() func(error) bool {
	asked := 0
	return func(error) bool { asked++; return asked > 1 }
}

// An order is new if the store wrote it now, or if it is there with our own id: then a try whose answer was lost wrote it.
func TestWhoseOrderIsStored(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kind          gateway.Kind
		written, same bool
		isNew         bool
	}{
		"written":                       {gateway.KindPayment, true, true, true},
		"written by a try that is lost": {gateway.KindPayment, false, true, true},
		"another's":                     {gateway.KindPayment, false, false, false},
		"a refund":                      {gateway.KindRefund, true, true, true},
		"another's refund":              {gateway.KindRefund, false, false, false},
	} {
		o, road := &Order{ID: uuid.New(), Kind: tc.kind}, ""
		answer := func(of string) func(*Order) (*Order, bool, error) {
			return func(given *Order) (*Order, bool, error) {
				require.Same(t, o, given)
				road = of
				if tc.same {
					return &Order{ID: o.ID}, tc.written, nil
				}
				return &Order{ID: uuid.New()}, tc.written, nil
			}
		}
		s := New(Config{Store: &creatingStore{createOrder: answer("order"), createRefund: answer("refund")}})
		stored, isNew, err := s.create(t.Context(), o)
		require.NoError(t, err, name)
		require.Equal(t, tc.isNew, isNew, name)
		require.Equal(t, tc.same, stored.ID == o.ID, name)
		require.Equal(t, tc.kind == gateway.KindRefund, road == "refund", name)
	}
}

// An order that could not be written down is no order, and nothing is sent of it.
func TestAnOrderThatCannotBeWrittenIsNotSent(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	nothingSent := &Error{Code: CodeUnavailable, Err: ErrNothingSent}
	for name, tc := range map[string]struct {
		ctx          context.Context
		answer, want error
		tries        int
	}{
		"refused":               {t.Context(), errReferenceConflict, errReferenceConflict, 1},
		"the database is away":  {t.Context(), nothingSent, nothingSent, 1},
		"the client has gone":   {canceled, nil, context.Canceled, 0},
		"gone and away as well": {canceled, nothingSent, context.Canceled, 0},
	} {
		tries := 0
		s := New(Config{Store: &creatingStore{createOrder: func(o *Order) (*Order, bool, error) { tries++; return o, false, tc.answer }}})
		o, isNew, err := s.begin(tc.ctx, newTestOrder(), attempt{operation: "payment", call: func(context.Context) (gateway.Result, error) {
			t.Error("it was sent: " + name)
			return gateway.Result{}, nil
		}})
		require.ErrorIs(t, err, tc.want, name)
		require.Nil(t, o, name)
		require.False(t, isNew, name)
		require.Equal(t, tc.tries, tries, name)
	}
}
