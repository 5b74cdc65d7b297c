// Package bugs holds deliberate bugs of package payment. Each makes one rule about money untrue by a small edit. The source
// that ships does not have them: they are built in with an overlay, to show that the simulation finds each.
package bugs

import "payrelay/test/overlay"

// Bug is one rule that is broken.
type Bug struct {
	Name string
	// Breaks says in words what the service does wrong.
	Breaks string
	Edit   overlay.Edit
}

// All are the bugs that the simulation must find.
var All = []Bug{
	{"visibility-delay", "a denial is believed within the provider's visibility delay", overlay.Edit{
		File: "internal/payment/verification.go",
		Old:  "func (v Verification) provableAt(p Policy, f Facts, delay time.Duration) time.Time {\n",
		New:  "func (v Verification) provableAt(p Policy, f Facts, delay time.Duration) time.Time {\n\tdelay = 0\n",
	}},
	{"one-denial", "one denial is believed", overlay.Edit{
		File: "internal/payment/verification.go",
		Old:  "v.Denials >= denialsNeeded && ",
		New:  "v.Denials >= 1 && ",
	}},
	{"acknowledged-denied", "an order that the provider has acknowledged is denied away", overlay.Edit{
		File: "internal/payment/verification.go",
		Old:  "if acknowledged || q.Asked.Before(",
		New:  "if acknowledged && f.Modification || q.Asked.Before(",
	}},
	{"late-answer", "a late answer is taken for how things are now", overlay.Edit{
		File: "internal/payment/attempt.go",
		Old:  "r := read(o, result, callErr, stored.Sequence, s.Now())\n",
		New:  "r := read(o, result, callErr, max(stored.Sequence, o.Sequence), s.Now())\n",
	}},
	{"timeout-failed", "a call without an answer fails the order", overlay.Edit{
		File: "internal/payment/answer.go",
		Old:  "\t\tr.Status, r.Reason = StatusUnknown, \"The provider gave no answer that can be believed. It is being asked.\"\n",
		New:  "\t\tif gateway.KindOf(err) == gateway.KindUnknown {\n\t\t\treturn fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, code, \"No answer.\")\n\t\t}\n\t\tr.Status, r.Reason = StatusUnknown, \"The provider gave no answer that can be believed. It is being asked.\"\n",
	}},
	{"late-send", "a process that stood still sends what others have given up", overlay.Edit{
		File: "internal/payment/attempt.go",
		Old:  "\t\tif left <= 0 {\n",
		New:  "\t\tleft = s.ProviderTimeout\n\t\tif left <= 0 {\n",
	}},
	{"callback-sum", "the sum of a callback is booked, whatever it is", overlay.Edit{
		File: "internal/payment/sum.go",
		Old:  "if r.Settled == nil || o.Amount.Currency() == \"\" ||",
		New:  "if r.Settled == nil || r.Source == SourceCallback || o.Amount.Currency() == \"\" ||",
	}},
	{"callback-twice", "a callback that comes in another spelling is applied again", overlay.Edit{
		File: "internal/payment/callback.go",
		Old:  "content := n.Fingerprint\n",
		New:  "content := raw.Body\n",
	}},
	{"older-poll", "a status poll that was asked before the last step says how things are now", overlay.Edit{
		File: "internal/payment/judge.go",
		Old:  "case r.AsOf == o.Sequence:\n",
		New:  "case r.AsOf > 0:\n",
	}},
	{"hold-unread", "a capture is sent although a poll has not shown the hold just before", overlay.Edit{
		File: "internal/payment/hold.go",
		Old:  "case reported.Status == \"\":\n",
		New:  "case reported.Status == \"\":\n\t\treturn \"\"\n\tcase false:\n",
	}},
	{"command-accepted", "a hold that is still shown undoes a capture that the provider has acknowledged", overlay.Edit{
		File: "internal/payment/verification.go",
		Old:  "v.CommandAccepted = v.CommandAccepted || f.Modification\n",
		New:  "v.CommandAccepted = v.CommandAccepted && f.Modification\n",
	}},
	{"pending-verification", "a callback that must be verified is forgotten when the order ends", overlay.Edit{
		File: "internal/payment/schedule.go",
		Old:  "case pending.PendingSince != nil && !asNamed && !f.Decided:\n",
		New:  "case pending.PendingSince != nil && asNamed && !f.Decided:\n",
	}},
	{"refund-twice", "a refund without an answer is sent again", overlay.Edit{
		File: "internal/payment/refund.go",
		Old:  "\treturn refunder.Refund(ctx, req)\n",
		New:  "\tresult, err := refunder.Refund(ctx, req)\n\tif err != nil && gateway.KindOf(err) == gateway.KindUnknown {\n\t\treturn refunder.Refund(ctx, req)\n\t}\n\treturn result, err\n",
	}},
	{"unnamed-sum", "a captured part is booked although nobody named its sum", overlay.Edit{
		File: "internal/payment/sum.go",
		Old:  "return r.Status == StatusSucceeded && !o.Status.Final() &&",
		New:  "return false && r.Status == StatusSucceeded && !o.Status.Final() &&",
	}},
	{"second-after-unknown", "an order goes to another account after a call without an answer", overlay.Edit{
		File: "internal/payment/elsewhere.go",
		Old:  "\tcase gateway.KindCredentials:\n\t\treturn \"credentials_refused\", true\n",
		New:  "\tcase gateway.KindCredentials, gateway.KindUnknown:\n\t\treturn \"credentials_refused\", true\n",
	}},
	{"decline-not-found", "an attempt that a poll does not find counts as declined", overlay.Edit{
		File: "internal/payment/cascade.go",
		Old:  "\t\tcase err != nil || shown.Status == gateway.StatusProcessing:\n",
		New:  "\t\tcase gateway.KindOf(err) == gateway.KindNotFound:\n\t\t\treturn answer, ending{reason: ReasonDeclinedByProvider}, polls\n\t\tcase err != nil || shown.Status == gateway.StatusProcessing:\n",
	}},
	{"decline-unproven", "an attempt that is still under way after the polls counts as declined", overlay.Edit{
		File: "internal/payment/cascade.go",
		Old:  "\t\treturn answer, ending{}, polls\n\t}\n\treturn answer, ending{}, polls\n",
		New:  "\t\treturn answer, ending{}, polls\n\t}\n\treturn answer, ending{reason: ReasonDeclinedByProvider}, polls\n",
	}},
	{"decline-class", "an order goes elsewhere after a decline of the issuer, and its shop asks for those of the provider only", overlay.Edit{
		File: "internal/payment/cascade.go",
		Old:  "case f.Retry == gateway.RetryIssuer && c == CascadeIssuer:\n",
		New:  "case f.Retry == gateway.RetryIssuer:\n",
	}},
	{"decline-twice", "a second decline leads to a third account", overlay.Edit{
		File: "internal/payment/elsewhere.go",
		Old:  "if next.cascade = a.cascade; end.declined() {\n",
		New:  "if next.cascade = a.cascade; false {\n",
	}},
	{"overtaken-move", "an order goes to another account although it has gone on during its call", overlay.Edit{
		File: "internal/payment/elsewhere.go",
		Old:  "if o.Sequence != stored.Sequence || o.ProviderOrderID != stored.ProviderOrderID {\n",
		New:  "if o.ProviderOrderID != stored.ProviderOrderID {\n",
	}},
	{"ended-attempt-paid", "the money of an attempt that had ended is forgotten", overlay.Edit{
		File: "internal/payment/ended_attempt.go",
		Old:  "\tcase moved, !a.Declined() && r.Status.Valid() && !r.Status.Final():\n",
		New:  "\tcase moved:\n\t\treturn Stale, \"\", \"the attempt has ended\"\n\tcase !a.Declined() && r.Status.Valid() && !r.Status.Final():\n",
	}},
	{"surplus-unasked", "the money of an attempt that had ended is kept beside the order's, and no dispute asks about it", overlay.Edit{
		File: "internal/payment/ended_attempt.go",
		Old:  "if !o.ofEndedAttempt() || o.Kind != gateway.KindPayment || o.Manual || o.Status != StatusSucceeded {\n",
		New:  "if o.Kind != \"\" || !o.ofEndedAttempt() || o.Manual || o.Status != StatusSucceeded {\n",
	}},
}
