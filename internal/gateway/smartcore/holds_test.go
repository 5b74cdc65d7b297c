package smartcore

import (
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func TestCapture(t *testing.T) {
	t.Parallel()
	part := int64(900)
	for _, tc := range []struct {
		name, answer, check string
		status              gateway.Status
		kind                gateway.ErrorKind
		settled             *int64
	}{
		{"done", `{"order_id":"x","status":2}`, `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":900}`, gateway.StatusSucceeded, 0, &part},
		{"done, sum not named", `{"order_id":"x","status":2}`, `{"order_id":"o-1","status":2,"amount":1000}`, gateway.StatusSucceeded, 0, nil},
		{"pending", `{"order_id":"x","status":1}`, "", gateway.StatusProcessing, 0, nil},
		{"done, not confirmed", `{"order_id":"x","status":2}`, "", gateway.StatusProcessing, 0, nil},
		{"failed, not confirmed", `{"order_id":"x","status":-1,"errorMessage":"LIMIT_PROCESSING_ERROR"}`, "", "", gateway.KindUnknown, nil},
		{"failed", `{"order_id":"x","status":-1}`, `{"order_id":"o-1","status":-1,"errorMessage":"TECHNICAL_PROCESSING_ERROR"}`, gateway.StatusFailed, 0, nil},
		{"call failed, still held", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":2,"amount":1000}`, "", gateway.KindDeclined, nil},
		{"call timed out, still held", `{"err":"request timed out"}`, `{"order_id":"o-1","status":2,"amount":1000}`, "", gateway.KindUnknown, nil},
		{"call failed, no check", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "", "", gateway.KindUnknown, nil},
		{"order not known", `{"err":"ORDER_NOT_FOUND"}`, "", "", gateway.KindNotFound, nil},
		{"says nothing", `{"order_id":"o-1"}`, "", "", gateway.KindUnknown, nil},
	} {
		answers := map[string]string{"/capture": tc.answer}
		if tc.check != "" {
			answers["/check"] = tc.check
		}
		p := newProvider(t, answers)
		result, err := open(t, p.account()).Capture(t.Context(), ref("o-1", 1000), eur(900))
		require.Equal(t, map[string]any{"order_id": "o-1", "amount": "900"}, p.seen()[0].Body, "a capture's amount is text (A5)")
		if tc.status == "" {
			require.Error(t, err, tc.name)
			require.Equal(t, tc.kind, gateway.KindOf(err), tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.status, result.Status, tc.name)
		require.Equal(t, tc.settled, result.Settled, tc.name)
		require.Equal(t, tc.status == gateway.StatusFailed, result.Failure != nil, tc.name)
	}
	p := newProvider(t, nil)
	for _, amount := range []money.Money{eur(0), eur(-1), eur(1001), money.New(10, "USD"), {}} {
		_, err := open(t, p.account()).Capture(t.Context(), ref("o-1", 1000), amount)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err), amount)
	}
	require.Empty(t, p.seen())
}

// What was asked for is no evidence of what moved: a check that names no sum leaves it open.
func TestNoSumIsMadeUpOfACapture(t *testing.T) {
	t.Parallel()
	zero, more := int64(0), int64(1200)
	for fields, want := range map[string]*int64{
		`"amount":1000`:                    nil,
		`"amount":1000,"finalAmount":null`: nil,
		`"amount":1000,"finalAmount":0`:    &zero,
		`"amount":1000,"finalAmount":1200`: &more,
	} {
		g := open(t, newProvider(t, map[string]string{"/check": `{"order_id":"o-1","status":2,` + fields + `}`}).account())
		for _, op := range []gateway.Operation{gateway.OpSale, gateway.OpAuthorize, gateway.OpCapture} {
			r := ref("o-1", 1000)
			r.Operation = op
			result, err := g.Fetch(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, want, result.Settled, "%s %s", op, fields)
		}
	}
}

func TestAnAccountCanRefuseToCaptureAPart(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string]string{"/capture": `{"order_id":"x","status":1}`})
	a := p.account()
	a.Settings["partial_capture"] = "no"
	g := open(t, a)
	require.Equal(t, []gateway.FieldError{{Field: "amount", Message: "must be left out: this account captures all of a hold or nothing"}}, g.Check(gateway.CaptureRequest{Ref: ref("o-1", 1000), Amount: eur(900)}))
	_, err := g.Capture(t.Context(), ref("o-1", 1000), eur(900))
	require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	require.Empty(t, p.seen(), "nothing is sent")
	require.Empty(t, g.Check(gateway.CaptureRequest{Ref: ref("o-1", 1000), Amount: eur(1000)}))
	_, err = g.Capture(t.Context(), ref("o-1", 1000), eur(1000))
	require.NoError(t, err)

	a.Settings["partial_capture"] = "perhaps"
	_, err = New(testClient(t)).Open(a)
	require.ErrorContains(t, err, "partial_capture: use yes or no")
}

// What a lost capture or cancel did is read against how the hold looked before: the same status 2 may mean held or taken.
func TestALostCommandIsReadAgainstTheHold(t *testing.T) {
	t.Parallel()
	const (
		held2     = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":1000,"endDate":"2026-05-05T10:00:00.000Z"}`
		taken     = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":1000,"endDate":"2026-05-05T10:07:00.120Z"}`
		part      = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":400,"endDate":"2026-05-05T10:00:00.000Z"}`
		held1     = `{"order_id":"o-1","status":1,"amount":1000,"authorize_status":"HOLD"}`
		undated   = `{"order_id":"o-1","status":2,"amount":1000}`
		pending   = `{"order_id":"o-1","status":1,"amount":1000}`
		canceled  = `{"order_id":"o-1","status":-1,"amount":1000,"endDate":"2026-05-05T10:07:00.120Z"}`
		noOpinion = gateway.Status("")
	)
	for _, tc := range []struct {
		name, hold, check string
		op                gateway.Operation
		want              gateway.Status
	}{
		{"capture never arrived", held2, held2, gateway.OpCapture, gateway.StatusAuthorized},
		{"capture never arrived, held is 1", held1, held1, gateway.OpCapture, gateway.StatusAuthorized},
		{"captured", held2, taken, gateway.OpCapture, gateway.StatusSucceeded},
		{"captured, held is 1", held1, taken, gateway.OpCapture, gateway.StatusSucceeded},
		{"part captured", held2, part, gateway.OpCapture, gateway.StatusSucceeded},
		{"capture pending", held2, pending, gateway.OpCapture, gateway.StatusProcessing},
		{"nothing tells held from captured", undated, undated, gateway.OpCapture, noOpinion},
		{"cancel never arrived", undated, undated, gateway.OpCancel, gateway.StatusAuthorized},
		{"cancel never arrived, held is 1", held1, held1, gateway.OpCancel, gateway.StatusAuthorized},
		{"canceled", held2, canceled, gateway.OpCancel, gateway.StatusCanceled},
		{"neither held as before nor canceled", held2, taken, gateway.OpCancel, noOpinion},
	} {
		r := ref("o-1", 1000)
		r.Operation = gateway.OpAuthorize
		before, err := open(t, newProvider(t, map[string]string{"/check": tc.hold}).account()).Fetch(t.Context(), r)
		require.NoError(t, err, tc.name)
		require.Equal(t, gateway.StatusAuthorized, before.Status, tc.name)
		r.Operation, r.State = tc.op, before.State
		g := open(t, newProvider(t, map[string]string{"/check": tc.check}).account())
		require.False(t, g.HoldUnverified(r), tc.name)
		after, err := g.Fetch(t.Context(), r)
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, after.Status, tc.name)
		if tc.want == gateway.StatusAuthorized {
			require.Nil(t, after.Settled, tc.name)
		}
		if tc.check == part {
			require.EqualValues(t, 400, *after.Settled)
		}
		r.Operation, r.State = gateway.OpAuthorize, before.State
		repeated, err := g.Fetch(t.Context(), r)
		require.NoError(t, err, tc.name)
		if repeated.Status == gateway.StatusAuthorized {
			require.NotEmpty(t, repeated.State["hold"], "%s: how the hold looks now is remembered", tc.name)
		}
	}
	p := newProvider(t, map[string]string{"/capture": `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "/check": taken})
	g, r := open(t, p.account()), ref("o-1", 1000)
	require.True(t, g.HoldUnverified(r))
	r.State = map[string]gateway.Secret{"hold": "2||1000|2026-05-05T10:00:00.000Z"}
	result, err := g.Capture(t.Context(), r, eur(1000))
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status, "refused because an earlier capture had arrived")
}

// Whether the last command was answered is not the adapter's to remember: of an earlier one, which an operator has settled
// since, it would say for ever that the next one arrived.
func TestAnEarlierCommandThatWasAcceptedSaysNothingOfTheNext(t *testing.T) {
	t.Parallel()
	const held = `{"order_id":"o-1","status":1,"amount":1000,"authorize_status":"HOLD"}`
	p := newProvider(t, map[string]string{"/capture": `{"status":1}`, "/cancel": `{"status":1}`, "/check": held})
	g, r := open(t, p.account()), ref("o-1", 1000)
	r.Operation = gateway.OpAuthorize
	before, err := g.Fetch(t.Context(), r)
	require.NoError(t, err)
	r.State = before.State
	for op, command := range map[gateway.Operation]func() (gateway.Result, error){
		gateway.OpCapture: func() (gateway.Result, error) { return g.Capture(t.Context(), r, eur(1000)) },
		gateway.OpCancel:  func() (gateway.Result, error) { return g.Cancel(t.Context(), r) },
	} {
		pending, err := command()
		require.NoError(t, err)
		require.Equal(t, gateway.StatusProcessing, pending.Status, op)
		next := r
		next.Operation, next.State = op, maps.Clone(r.State)
		maps.Copy(next.State, pending.State)
		later, err := g.Fetch(t.Context(), next)
		require.NoError(t, err)
		require.Equal(t, gateway.StatusAuthorized, later.Status, "%s: the hold as it was, whatever was answered before", op)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, answer, check string
		status              gateway.Status
		kind                gateway.ErrorKind
	}{
		{"done", `{"status":-1}`, `{"order_id":"o-1","status":-1}`, gateway.StatusCanceled, 0},
		{"done, not confirmed", `{"status":-1}`, "", gateway.StatusProcessing, 0},
		{"pending", `{"status":1}`, "", gateway.StatusProcessing, 0},
		{"claimed, check still pending", `{"status":-1}`, `{"order_id":"o-1","status":1}`, gateway.StatusProcessing, 0},
		{"refused, still held", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":2}`, "", gateway.KindDeclined},
		{"refused, but gone already", `{"status":-1,"err":"PROCESSING_ERROR"}`, `{"order_id":"o-1","status":-1}`, gateway.StatusCanceled, 0},
		{"refused, no check", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "", "", gateway.KindUnknown},
	} {
		answers := map[string]string{"/cancel": tc.answer}
		if tc.check != "" {
			answers["/check"] = tc.check
		}
		result, err := open(t, newProvider(t, answers).account()).Cancel(t.Context(), ref("o-1", 1000))
		if tc.status == "" {
			require.Error(t, err, tc.name)
			require.Equal(t, tc.kind, gateway.KindOf(err), tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.status, result.Status, tc.name)
		require.Nil(t, result.Failure, tc.name)
	}
	// A cancel that took no effect says nothing that could be booked.
	g := open(t, newProvider(t, map[string]string{"/cancel": `{"status":2}`, "/check": `{"order_id":"o-1","status":2}`}).account())
	result, err := g.Cancel(t.Context(), ref("o-1", 1000))
	require.NoError(t, err)
	require.Empty(t, result.Status)
}

// A hold and what was captured from it look alike here. Once the capture was answered, how the hold looked is no longer held
// against a check.
func TestAnAnsweredCaptureIsShownAsTakenFromThenOn(t *testing.T) {
	t.Parallel()
	const undated = `{"order_id":"o-1","status":2,"amount":1000}`
	p := newProvider(t, map[string]string{"/capture": `{"order_id":"o-1","status":2}`, "/cancel": `{"order_id":"o-1","status":2}`, "/check": undated})
	g, r := open(t, p.account()), ref("o-1", 1000)
	r.Operation = gateway.OpAuthorize
	hold, err := g.Fetch(t.Context(), r)
	require.NoError(t, err)
	require.NotEmpty(t, hold.State["hold"])
	r.State = hold.State
	captured, err := g.Capture(t.Context(), r, r.Amount)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, captured.Status)
	r.Operation, r.State = gateway.OpCapture, maps.Clone(r.State)
	maps.Copy(r.State, captured.State)
	repeated, err := g.Fetch(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, repeated.Status)
}

// An answer has fewer fields than a check, and is recorded late: compared with what it shows, an untouched hold would look
// changed, which is what proves a capture.
func TestOnlyAFetchRemembersTheHold(t *testing.T) {
	t.Parallel()
	const held = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":1000,"authorize_status":"HOLD","endDate":"2026-05-05T10:00:00.000Z"}`
	for _, tc := range []struct {
		name, answer string
		check        int
		want         gateway.Status
	}{
		{"held, check away", `{"order_id":"64a7e106d46c5db10d082b13","status":2,"endDate":null,"err":null}`, http.StatusBadGateway, gateway.StatusProcessing},
		{"held, by 1", `{"order_id":"64a7e106d46c5db10d082b13","status":1,"authorize_status":"HOLD"}`, 0, gateway.StatusAuthorized},
		{"held, confirmed", `{"order_id":"64a7e106d46c5db10d082b13","status":2}`, 0, gateway.StatusAuthorized},
		{"call failed, held", `{"err":"TECHNICAL_PROCESSING_ERROR"}`, 0, gateway.StatusAuthorized},
	} {
		p := newProvider(t, map[string]string{"/authorize": tc.answer, "/check": held})
		p.statuses = map[string]int{"/check": tc.check}
		r := ref("o-1", 1000)
		r.Operation = gateway.OpAuthorize
		created, err := open(t, p.account()).start(t.Context(), authorize, r, authorizeRequest{})
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, created.Status, tc.name)
		require.Empty(t, created.State, tc.name)
	}
}

// A hold may be shown as 1 first and as 2 later (smartcore.md A23). What counts is how it is shown just before the capture.
func TestAHoldThatIsShownOtherwiseLaterIsRememberedAnew(t *testing.T) {
	t.Parallel()
	const (
		early   = `{"order_id":"o-1","status":1,"amount":1000,"authorize_status":"HOLD"}`
		settled = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":1000,"authorize_status":"HOLD","endDate":"2026-05-05T10:00:00.000Z"}`
		changed = `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":1000,"authorize_status":"HOLD","endDate":"2026-05-05T10:09:00.000Z"}`
	)
	r := ref("o-1", 1000)
	r.State = map[string]gateway.Secret{}
	check := func(op gateway.Operation, answer string) gateway.Status {
		r.Operation = op
		result, err := open(t, newProvider(t, map[string]string{"/check": answer}).account()).Fetch(t.Context(), r)
		require.NoError(t, err)
		maps.Copy(r.State, result.State)
		return result.Status
	}
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpAuthorize, early))
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpAuthorize, settled))
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpCancel, settled))
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpAuthorize, early), "a lost cancel cannot turn up as 1 or 2")
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpAuthorize, settled))
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpCapture, settled), "a capture that never arrived")

	// From here on a change may be that capture, arriving late: it is no hold to capture from again, and none to compare with.
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpAuthorize, settled))
	require.Empty(t, check(gateway.OpAuthorize, changed))
	require.Equal(t, gateway.StatusSucceeded, check(gateway.OpCapture, changed))
	require.Equal(t, gateway.StatusAuthorized, check(gateway.OpCapture, settled))
}
