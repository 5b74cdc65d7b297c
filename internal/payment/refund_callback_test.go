package payment

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestWhichRefundACallbackOnItsPaymentMeans(t *testing.T) {
	t.Parallel()
	at := func(hour int) *time.Time { at := time.Date(2030, 1, 1, hour, 0, 0, 0, time.UTC); return &at }
	refund := func(minor int64, status Status, finalized *time.Time, judged ...JudgedCallback) RefundFacts {
		return RefundFacts{Minor: minor, Status: status, FinalizedAt: finalized, Judged: judged}
	}
	said := func(verdict Verdict, reported Status) JudgedCallback {
		return JudgedCallback{string(reported), verdict}
	}
	carriedOut := func(r RefundFacts) RefundFacts { r.CarriedOut = true; return r }
	named := func(r RefundFacts, name string, s Status) RefundFacts {
		r.BankReferences = map[string]Status{name: s}
		return r
	}
	known := func(r RefundFacts) RefundFacts { r.ProviderReference = "id"; return r }
	failedAs := func(code string) RefundFacts {
		r := refund(300, StatusFailed, at(1))
		r.FailureCode = code
		return r
	}
	open := refund(300, StatusProcessing, nil)
	const none = -1
	for name, tc := range map[string]struct {
		minor    int64
		reported Status
		names    []string // of movements, by the callback
		refunds  []RefundFacts
		want     int // its place
		sameSum  int
	}{
		"there is none":                                {minor: 300, reported: StatusSucceeded, want: none},
		"the only one":                                 {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{open}},
		"the only one, and no sum is named":            {reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusFailed, at(1))}},
		"the only one, of another sum":                 {minor: 100, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1))}},
		"another sum went back":                        {minor: 100, reported: StatusSucceeded, refunds: []RefundFacts{open}, want: none},
		"ended ones of other sums":                     {minor: 100, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1)), refund(200, StatusFailed, at(2))}, want: none},
		"no sum is named, and two have ended":          {reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusFailed, at(1)), refund(200, StatusFailed, at(2))}, want: none},
		"the open one, no sum named":                   {reported: StatusSucceeded, refunds: []RefundFacts{refund(200, StatusFailed, at(1)), open}, want: 1},
		"the open one, of the sum":                     {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusFailed, at(1)), open}, want: 1, sameSum: 1},
		"the ended one of the sum":                     {minor: 200, reported: StatusSucceeded, refunds: []RefundFacts{open, refund(200, StatusSucceeded, at(1))}, want: 1},
		"the open one fails with another sum":          {minor: 250, reported: StatusFailed, refunds: []RefundFacts{refund(200, StatusSucceeded, at(1)), open}, want: 1},
		"it ended as reported":                         {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusFailed, at(2)), refund(300, StatusSucceeded, at(1))}, want: 1, sameSum: 1},
		"its end was repeated by a callback":           {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusSucceeded, at(1), said(Repeat, StatusSucceeded)), refund(300, StatusFailed, at(2))}, want: 1},
		"its end was applied from a callback":          {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusSucceeded, at(1), said(Apply, StatusSucceeded)), refund(300, StatusFailed, at(2))}, want: 1},
		"another movement of its sum":                  {minor: 300, reported: StatusSucceeded, names: []string{"2"}, refunds: []RefundFacts{named(refund(300, StatusSucceeded, at(1)), "1", StatusSucceeded)}, want: none},
		"its own movement once more":                   {minor: 300, reported: StatusSucceeded, names: []string{"1"}, refunds: []RefundFacts{named(refund(300, StatusSucceeded, at(1)), "1", StatusSucceeded)}},
		"another movement, and it was refused":         {minor: 300, reported: StatusFailed, names: []string{"2"}, refunds: []RefundFacts{named(refund(300, StatusSucceeded, at(1)), "1", StatusSucceeded)}},
		"a movement, and none of it is known":          {minor: 300, reported: StatusSucceeded, names: []string{"2"}, refunds: []RefundFacts{refund(300, StatusSucceeded, at(1))}},
		"a movement of one that had been refused":      {minor: 300, reported: StatusSucceeded, names: []string{"2"}, refunds: []RefundFacts{named(refund(300, StatusFailed, at(1)), "1", StatusFailed)}},
		"another movement than the one of two":         {minor: 300, reported: StatusSucceeded, names: []string{"2"}, refunds: []RefundFacts{named(refund(300, StatusSucceeded, at(2)), "1", StatusSucceeded), refund(300, StatusFailed, at(1))}, want: 1},
		"one was carried out, and that was told":       {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{carriedOut(refund(300, StatusFailed, at(2), said(Apply, StatusSucceeded))), refund(300, StatusFailed, at(1))}, want: 1},
		"one was carried out, and no callback said so": {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{carriedOut(refund(300, StatusFailed, at(1))), refund(300, StatusFailed, at(2))}, want: 0, sameSum: 1},
		"a callback contradicted its end":              {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusSucceeded, at(1), said(Conflict, StatusFailed)), refund(300, StatusFailed, at(2))}, want: 0, sameSum: 1},
		"its end waits to be verified":                 {minor: 300, reported: StatusSucceeded, refunds: []RefundFacts{refund(300, StatusSucceeded, at(1), said(Verify, StatusSucceeded)), refund(300, StatusFailed, at(2))}, want: 0, sameSum: 1},
		"both ended as reported":                       {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1)), refund(300, StatusFailed, at(2)), refund(300, StatusFailed, at(0))}, want: 1, sameSum: 2},
		"both confirmed":                               {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(3), said(Apply, StatusFailed)), refund(300, StatusFailed, at(2), said(Apply, StatusFailed))}, want: 0},
		"the other's end was called succeeded":         {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1), said(Conflict, StatusSucceeded)), open}, want: 1},
		"the other's callback was stale":               {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1), said(Stale, StatusFailed)), open}, want: 1, sameSum: 1},
		"the other was said to be under way":           {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1), said(Apply, StatusProcessing)), open}, want: 1, sameSum: 1},
		"the provider can be asked by its id":          {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(300, StatusFailed, at(1), said(Apply, StatusFailed)), known(open)}, want: 1, sameSum: 1},
		"the other was not sent":                       {minor: 300, reported: StatusFailed, refunds: []RefundFacts{failedAs(codeNotSent), known(open)}, want: 1},
		"the other's answer was not signed":            {minor: 300, reported: StatusFailed, refunds: []RefundFacts{failedAs(gateway.CodeNotSigned), open}, want: 1},
		"the other was declined":                       {minor: 300, reported: StatusFailed, refunds: []RefundFacts{failedAs("DECLINED"), open}, want: 1, sameSum: 1},
		"the other has an id, and was sent":            {minor: 300, reported: StatusFailed, refunds: []RefundFacts{known(failedAs(codeNotSent)), open}, want: 1, sameSum: 1},
		"the other has another sum":                    {minor: 300, reported: StatusFailed, refunds: []RefundFacts{refund(200, StatusFailed, at(1)), open}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range tc.refunds {
				tc.refunds[i].ID = uuid.UUID{15: byte(i + 1)}
			}
			meant, sameSum := Callback{Minor: tc.minor, Reported: string(tc.reported), BankReferences: tc.names}.RefundMeant(tc.refunds)
			require.Equal(t, tc.sameSum, sameSum)
			if tc.want == none {
				require.Nil(t, meant)
				return
			}
			require.NotNil(t, meant)
			require.Equal(t, tc.refunds[tc.want].ID, meant.ID)
		})
	}
}
