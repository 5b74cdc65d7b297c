// Package bugs holds deliberate bugs: each switches one safeguard of the service off. The fault harness builds them into the
// server to show that it reports what the safeguard prevents. No source that ships knows of them.
package bugs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"payrelay/test/overlay"
)

// Bug is a safeguard that is switched off.
type Bug struct {
	// Package is the one that Edits change, as an import path.
	Package string
	Edits   []overlay.Edit
}

// All are the bugs, by the name of the safeguard.
var All = map[string]Bug{
	// A callback that is on record is applied again.
	"dedupe": {"payrelay/internal/store", []overlay.Edit{{
		File: "internal/store/callback.go",
		Old:  "if kept != nil {",
		New:  "if kept != nil && cb.DedupeKey == nil {",
	}, {
		File: "internal/store/commit_batch.go",
		Old:  "if w.kept = b.kept[string(w.callback.DedupeKey)]; w.kept != nil {",
		New:  "if w.callback.DedupeKey == nil {",
	}, {
		File: "internal/store/callback.go",
		Old:  "DedupeKey: cb.DedupeKey, ShopID: o.ShopID",
		New:  "DedupeKey: append([]byte(uuid.NewString()), cb.DedupeKey...), ShopID: o.ShopID",
	}}},
	// An order of unknown outcome goes to another account.
	"failover": {"payrelay/internal/payment", []overlay.Edit{{
		File: "internal/payment/elsewhere.go",
		Old:  "\tcase gateway.KindNotSent:\n",
		New:  "\tcase gateway.KindUnknown:\n\t\treturn codeNotSent, true\n\tcase gateway.KindNotSent:\n",
	}}},
	// A declined order goes to another account without the proof, while the provider is still at work.
	"cascade": {"payrelay/internal/payment", []overlay.Edit{{
		File: "internal/payment/cascade.go",
		Old:  "case err != nil || shown.Status == gateway.StatusProcessing:\n\t\t\tcontinue\n",
		New:  "case err != nil || shown.Status == gateway.StatusProcessing:\n\t\t\treturn answer, ending{reason: ReasonDeclinedByProvider, code: \"TECHNICAL_PROCESSING_ERROR\"}, polls\n",
	}}},
	// No row is locked while an observation is judged.
	"rowlock": {"payrelay/internal/store", []overlay.Edit{{
		File: "internal/store/tx.go",
		Old:  "q.batch.Queue(sql, args...).Query(",
		New:  "q.batch.Queue(unlocked(sql), args...).Query(",
	}, {
		File: "internal/store/commit_batch.go",
		Old:  "narrowed(lockOrders, []any",
		New:  "narrowed(unlocked(lockOrders), []any",
	}, {
		File: "internal/store/bug.go",
		New: `package store

import "strings"

// unlocked is a statement that locks no row.
func unlocked(sql string) string {
	sql, _, _ = strings.Cut(sql, "FOR NO KEY UPDATE")
	return sql
}
`,
	}}},
	// The provider is called before the order is written down.
	"writeahead": {"payrelay/internal/payment", []overlay.Edit{{
		File: "internal/payment/attempt.go",
		Old:  "stored, created, err := s.create(ctx, o)",
		New:  "a.call = early(ctx, a.call)\n\tstored, created, err := s.create(ctx, o)",
	}, {
		File: "internal/payment/bug.go",
		New: `package payment

import (
	"context"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// early makes a call at once and returns one that only says what came of it.
func early(ctx context.Context, call providerCall) providerCall {
	result, err := call(ctx)
	faultpoint.Hit("provider-answered")
	return func(context.Context) (gateway.Result, error) { return result, err }
}
`,
	}}},
	// The clock alone makes a payment of unknown outcome fail.
	"timer": {"payrelay/internal/payment", []overlay.Edit{{
		File: "internal/payment/observe.go",
		Old:  "\tcase !o.meantBy(a), o.showsOldHold(a):\n",
		New: `	case o.Status == StatusUnknown && a.Answered.Sub(o.CreatedAt) > time.Second:
		return o.Record(Observation{Source: SourceStatusPoll, Status: StatusFailed, AsOf: o.Sequence, At: a.Answered})
	case !o.meantBy(a), o.showsOldHold(a):
`,
	}}},
}

// Edits are those of the named bugs; names are separated by commas.
func Edits(names string) (edits []overlay.Edit, err error) {
	for name := range strings.SplitSeq(names, ",") {
		bug, ok := All[name]
		if name != "" && !ok {
			return nil, fmt.Errorf("there is no safeguard %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(All)), ", "))
		}
		edits = append(edits, bug.Edits...)
	}
	return edits, nil
}
