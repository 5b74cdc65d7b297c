package faults

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMoneyThatMovedByItselfIsOnRecord(t *testing.T) {
	t.Parallel()
	disputed := func(what, kind string, amount int64) Snapshot {
		b := good()
		b.Movements = []Movement{{"paid", "pr-paid", what, amount, true}}
		b.row("paid").Disputes = []Dispute{{kind, amount}}
		if what != "charged_twice" {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-paid", Kind: kindUnasked, State: Paid, Sum: amount})
		}
		return b
	}
	for what, kind := range map[string]string{"refund": "external_refund", "chargeback": "reversal", "charged_twice": "duplicate_charge"} {
		require.Empty(t, Check(disputed(what, kind, 500)).Violations, what)
	}
	untold := disputed("refund", "external_refund", 500) // nobody could know
	untold.Movements[0].Acknowledged, untold.row("paid").Disputes = false, nil
	require.Empty(t, Check(untold).Violations)

	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want []Kind
	}{
		"there is no record":            {func(b *Snapshot) { b.row("paid").Disputes = nil }, []Kind{MissedDispute}},
		"the record has another sum":    {func(b *Snapshot) { b.row("paid").Disputes[0].Amount = 499 }, []Kind{MissedDispute}},
		"the record is of another kind": {func(b *Snapshot) { b.row("paid").Disputes[0].Kind = "late_success" }, []Kind{FalseDispute, MissedDispute}},
		"there are two records": {func(b *Snapshot) {
			b.row("paid").Disputes = append(b.row("paid").Disputes, Dispute{"external_refund", 500})
		}, []Kind{FalseDispute}},
		"nothing had moved": {func(b *Snapshot) { b.Movements = nil }, []Kind{FalseDispute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := disputed("refund", "external_refund", 500)
			c.harm(&b)
			var kinds []Kind
			for _, v := range Check(b).Violations {
				kinds = append(kinds, v.Kind)
			}
			require.Equal(t, c.want, kinds, Check(b).Violations)
		})
	}
}

// A name counts as carried in a request to a money endpoint, also in one that was cut off, and not in a check.
func TestWhatBytesOfACallAre(t *testing.T) {
	t.Parallel()
	request := func(path, body string) string {
		return "POST /smartcore/gateway/" + path + " HTTP/1.1\r\nHost: x\r\n\r\n" + body
	}
	pay, check := request("initPayment", `{"order_id":"one"}`), request("check", `{"order_id":"one"}`)
	money := moneyCalls["smartcore"]
	require.True(t, carries([]byte(pay), "one", money))
	require.True(t, carries([]byte(check+pay), "one", money))
	require.True(t, carries([]byte(pay+check), "one", money))
	require.True(t, carries([]byte(pay[:len(pay)-3]), "on", money))
	require.False(t, carries([]byte(check), "one", money))
	require.False(t, carries([]byte(request("initPayment", `{"order_id":"two"}`)+check), "one", money))
	require.False(t, carries(nil, "one", money))
}
