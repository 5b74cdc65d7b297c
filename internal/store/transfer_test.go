package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// service is the use cases over the bench's store and a scripted provider.
func (b *fixture) service(fake *gatewaytest.Fake) *payment.Service {
	return payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now, PublicURL: "https://pay.example"})
}

func shownTransfer(status gateway.Status) gateway.Result {
	minor := int64(400)
	return gateway.Result{
		Status: status, ProviderReference: "a5878766", Amount: &minor, Currency: "EUR", ProviderData: gateway.ProviderData{"receipt_id": "6ZDTRBEZ9YFP"},
		State: map[string]gateway.Secret{"engine": "split"},
	}
}

func TestATransferIsSentOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var sent gateway.TransferRequest
	fake := &gatewaytest.Fake{TransferFunc: func(_ context.Context, req gateway.TransferRequest) (gateway.Result, error) {
		sent = req
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown, Op: "transfer"}
	}}
	s := b.service(fake)
	in := payment.NewTransfer{
		Shop: b.shop.ID, Reference: "t-1", Account: "EUR-1", Amount: money.New(400, "EUR"), From: gateway.TransferEnd{CardID: "a"}, To: gateway.TransferEnd{CardID: "b"},
		RequestHash: []byte{1},
	}
	o, isNew, err := s.Transfer(t.Context(), in)
	require.NoError(t, err)
	require.True(t, isNew)
	require.Equal(t, payment.StatusUnknown, o.Status)
	require.Equal(t, gateway.KindTransfer, o.Kind)
	require.Equal(t, o.ProviderOrderID, sent.Ref.OrderID)
	require.Equal(t, in.From, sent.From)
	repeated, isNew, err := s.Transfer(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, o.ID, repeated.ID)
	require.Equal(t, []string{"Transfer"}, fake.Calls())
	in.RequestHash = []byte{2}
	_, _, err = s.Transfer(t.Context(), in)
	require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(err))

	in.Reference, in.Amount = "t-2", money.New(400, "UAH") // of one that is taken, the reference is what is told
	_, _, err = s.Transfer(t.Context(), in)
	require.Equal(t, payment.CodeCurrency, payment.CodeOf(err))
	fake.CheckFunc = func(gateway.Request) []gateway.FieldError {
		return []gateway.FieldError{{Field: "customer.phone", Message: "required"}}
	}
	in.Amount = money.New(400, "EUR")
	_, _, err = s.Transfer(t.Context(), in)
	require.Equal(t, payment.CodeMissingFields, payment.CodeOf(err))
	_, _, err = b.service(&gatewaytest.Fake{Plain: true}).Transfer(t.Context(), in)
	require.Equal(t, payment.CodeUnsupported, payment.CodeOf(err))
}

func TestAnImportedTransferIsFollowed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	fake := &gatewaytest.Fake{
		FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			return shownTransfer(gateway.StatusProcessing), nil
		},
		FetchFunc: func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
			require.Equal(t, "a5878766", ref.ProviderReference)
			require.EqualValues(t, "split", ref.State["engine"])
			return shownTransfer(gateway.StatusSucceeded), nil
		},
	}
	s := b.service(fake)
	var group sync.WaitGroup
	var mu sync.Mutex
	made, ids := 0, map[string]bool{}
	for i := range 20 { // by either id, at once
		group.Go(func() {
			query := gateway.TransferQuery{ProviderID: "a5878766"}
			if i%2 == 0 {
				query = gateway.TransferQuery{ReceiptID: "6ZDTRBEZ9YFP"}
			}
			o, isNew, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: query})
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			ids[o.ID.String()] = true
			if isNew {
				made++
				require.Equal(t, payment.StatusProcessing, o.Status)
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, made)
	require.Len(t, ids, 1)
	o, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindTransfer, "import-a5878766")
	require.NoError(t, err)
	require.Equal(t, money.New(400, "EUR"), o.Amount)
	require.NotNil(t, o.NextPollAt)
	done, err := s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, done.Status)
	repeated, isNew, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}})
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, payment.StatusSucceeded, repeated.Status)
}

// Following a transfer of our own as a second order would count its money twice.
func TestATransferThatWasStartedHereIsNotImported(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var id string
	s := b.service(&gatewaytest.Fake{
		TransferFunc: func(_ context.Context, req gateway.TransferRequest) (gateway.Result, error) {
			id = req.Ref.OrderID
			return shownTransfer(gateway.StatusProcessing), nil
		},
		FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			found := shownTransfer(gateway.StatusProcessing)
			found.OrderID = id
			return found, nil
		},
	})
	own, _, err := s.Transfer(t.Context(), payment.NewTransfer{Shop: b.shop.ID, Reference: "t-1", Account: "EUR-1", Amount: money.New(400, "EUR")})
	require.NoError(t, err)
	in := payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}}
	o, isNew, err := s.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, own.ID, o.ID)
	id = "somebody-else's"
	o, isNew, err = s.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.True(t, isNew)
	require.NotEqual(t, own.ID, o.ID)
}

// A crash after the order was written leaves one that a check can follow.
func TestAnImportThatWasCutShortIsFollowed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	fake := &gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
		return shownTransfer(gateway.StatusSucceeded), nil
	}}
	d := &drafting{Store: b.Store}
	cut := payment.New(payment.Config{Store: d, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	_, _, err := cut.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}})
	require.ErrorIs(t, err, errDrafted)
	o, created, err := b.CreateOrder(t.Context(), d.draft)
	require.NoError(t, err)
	require.True(t, created)
	stored, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusCreated, stored.Status)
	require.Equal(t, "a5878766", stored.ProviderReference)
	require.EqualValues(t, "split", stored.ProviderState["engine"])
	require.NotNil(t, stored.NextPollAt)
}

func TestATransferThatCannotBeImported(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	nothing, other := int64(0), shownTransfer(gateway.StatusSucceeded)
	other.Currency = "UAH"
	withoutSum, withoutID := shownTransfer(gateway.StatusSucceeded), shownTransfer(gateway.StatusSucceeded)
	withoutSum.Amount, withoutID.ProviderReference = &nothing, ""
	for name, tc := range map[string]struct {
		result gateway.Result
		kind   gateway.ErrorKind
		code   string
		want   payment.Code
	}{
		"not shown":        {kind: gateway.KindDeclined, code: "NO_SUCH_PAYMENT", want: payment.CodeNotFound},
		"not found":        {kind: gateway.KindNotFound, code: "x", want: payment.CodeNotFound},
		"a clock":          {kind: gateway.KindDeclined, code: gateway.CodeClock, want: payment.CodeProviderFailed},
		"credentials":      {kind: gateway.KindCredentials, code: "x", want: payment.CodeProviderFailed},
		"no answer":        {kind: gateway.KindUnknown, code: "x", want: payment.CodeProviderFailed},
		"not reached":      {kind: gateway.KindNotSent, code: "x", want: payment.CodeProviderFailed},
		"a bad id":         {kind: gateway.KindInvalid, code: "x", want: payment.CodeInvalid},
		"another currency": {result: other, want: payment.CodeProviderFailed},
		"without a sum":    {result: withoutSum, want: payment.CodeProviderFailed},
		"without an id":    {result: withoutID, want: payment.CodeProviderFailed},
	} {
		s := b.service(&gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			if tc.code != "" {
				return gateway.Result{}, &gateway.Error{Kind: tc.kind, Code: tc.code}
			}
			return tc.result, nil
		}})
		_, _, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "x"}})
		require.Equal(t, tc.want, payment.CodeOf(err), name)
	}
	in := payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1"}
	_, _, err := b.service(&gatewaytest.Fake{Plain: true}).ImportTransfer(t.Context(), in)
	require.Equal(t, payment.CodeUnsupported, payment.CodeOf(err))
	in.Account = "nobody's"
	_, _, err = b.service(&gatewaytest.Fake{}).ImportTransfer(t.Context(), in)
	require.Equal(t, payment.CodeUnknownAccount, payment.CodeOf(err))
	page, err := b.Orders(t.Context(), payment.Filter{Shop: b.shop.ID, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Items, "nothing was stored")
}

func TestCodesOfTransfers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer gateway.Result
		kind   gateway.ErrorKind
		failed bool
		want   payment.Code
		status payment.Status
	}{
		"taken":          {answer: gateway.Result{Status: gateway.StatusSucceeded}, status: payment.StatusSucceeded},
		"wrong":          {answer: asksForCode(2), want: payment.CodeWrongCode, status: payment.StatusRequiresAction},
		"of a bad form":  {failed: true, kind: gateway.KindDeclined, want: payment.CodeWrongCode, status: payment.StatusRequiresAction},
		"not sent":       {failed: true, kind: gateway.KindNotSent, want: payment.CodeProviderFailed, status: payment.StatusRequiresAction},
		"no credentials": {failed: true, kind: gateway.KindCredentials, want: payment.CodeProviderFailed, status: payment.StatusRequiresAction},
		"nobody knows":   {failed: true, kind: gateway.KindUnknown, status: payment.StatusProcessing},
	} {
		b := newFixture(t)
		s := b.service(&gatewaytest.Fake{
			TransferFunc: func(context.Context, gateway.TransferRequest) (gateway.Result, error) { return asksForCode(3), nil },
			ConfirmCodeFunc: func(context.Context, gateway.Ref, gateway.Secret) (gateway.Result, error) {
				if tc.failed {
					return gateway.Result{}, &gateway.Error{Kind: tc.kind, Code: "x"}
				}
				return tc.answer, nil
			},
		})
		o, _, err := s.Transfer(t.Context(), payment.NewTransfer{Shop: b.shop.ID, Reference: "t-1", Account: "EUR-1", Amount: money.New(400, "EUR")})
		require.NoError(t, err, name)
		require.Equal(t, payment.StatusRequiresAction, o.Status, name)
		_, err = s.ConfirmCode(t.Context(), o.Key(), "123456")
		require.Equal(t, payment.CodeNotFound, payment.CodeOf(err), "%s: a transfer is no payment", name)
		_, err = s.ConfirmTransfer(t.Context(), o.Key(), "123456")
		require.Equal(t, tc.want, payment.CodeOf(err), name)
		stored, err := b.Order(t.Context(), o.Key())
		require.NoError(t, err, name)
		require.Equal(t, tc.status, stored.Status, "%s: what became of a code never fails an order", name)
	}
}

func asksForCode(left int) gateway.Result {
	return gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionConfirmCode, AttemptsLeft: &left}}
}

// What went back before anybody saw the payment succeed is stored with it, and no refund gives it back again.
func TestAPaymentFirstSeenWhenItHadGoneBackIsStored(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	part := int64(400)
	s := b.service(&gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown}
		},
		FetchFunc: func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
			if ref.Kind == gateway.KindRefund {
				return gateway.Result{Status: gateway.StatusSucceeded}, nil
			}
			return gateway.Result{Status: gateway.StatusSucceeded, Refunded: &part}, nil
		},
		RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
	})
	o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{Shop: b.shop.ID, Reference: "p-1", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted})
	require.NoError(t, err)
	_, err = s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	stored, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, stored.Status)
	require.EqualValues(t, 400, stored.Refunded)
	_, _, err = s.Refund(t.Context(), payment.NewRefund{Shop: b.shop.ID, Payment: o.ID, Reference: "r-1", Minor: 601})
	require.Equal(t, payment.CodeRefundTooLarge, payment.CodeOf(err))
	_, _, err = s.Refund(t.Context(), payment.NewRefund{Shop: b.shop.ID, Payment: o.ID, Reference: "r-2", Minor: 600})
	require.NoError(t, err)
	stored, err = b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.EqualValues(t, 1000, stored.Refunded)
}
