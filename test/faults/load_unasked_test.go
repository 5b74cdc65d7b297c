package faults

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	sent "payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/smartcore"
)

func TestAMovementIsWhatTheProviderRecords(t *testing.T) {
	t.Parallel()
	order := func(status int, rrn string, said ...string) smartcore.Order {
		o := smartcore.Order{Operation: smartcore.OpCabinet, Status: status, RRN: rrn}
		for _, name := range said {
			o.Callbacks = append(o.Callbacks, &smartcore.Callback{
				Variant: smartcore.VariantGenuine, Fields: map[string]string{"status": strconv.Itoa(status), "rrn": name},
				Delivery: sent.Delivery{Attempts: []sent.Attempt{{Status: http.StatusOK}}},
			})
		}
		return o
	}
	done, failed := order(smartcore.StatusSuccess, "r", "r"), order(smartcore.StatusFailed, "", "null")
	own := done
	own.Operation = smartcore.OpRefund
	early := order(smartcore.StatusSuccess, "r")
	early.Callbacks = order(smartcore.StatusProcessing, "", "null").Callbacks
	twice, second := order(smartcore.StatusSuccess, "b", "a", "b"), order(smartcore.StatusSuccess, "b", "b")
	twice.EarlierRRNs, second.EarlierRRNs = []string{"a"}, []string{"a"}

	for name, c := range map[string]struct {
		what                string
		payment             smartcore.Order
		back                []smartcore.Order
		moved, acknowledged bool
	}{
		"a refund":                            {control.Refund, done, []smartcore.Order{done}, true, true},
		"a refund that failed":                {control.Refund, done, []smartcore.Order{failed}, false, false},
		"a refund of ours beside one":         {control.Refund, done, []smartcore.Order{own, failed}, false, false},
		"a refund that nobody was called of":  {control.Refund, done, []smartcore.Order{order(smartcore.StatusSuccess, "r")}, true, false},
		"a refund announced, its end not":     {control.Refund, done, []smartcore.Order{early}, true, false},
		"money that came late":                {control.LateSuccess, done, nil, true, true},
		"a second charge":                     {control.ChargedTwice, twice, nil, true, true},
		"a second charge taken for the first": {control.ChargedTwice, second, nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, moved := movement{"paid", "pr-paid", c.what, 500}.in(c.payment, c.back)
			require.Equal(t, c.moved, moved)
			require.Equal(t, c.acknowledged, said.Acknowledged)
		})
	}
}
