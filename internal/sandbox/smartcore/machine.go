package smartcore

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/names"
	"payrelay/internal/sandbox/recipe"
)

// Functions of this file expect the simulator's mutex to be held.

func (t *Simulator) note(o *Order, format string, args ...any) {
	if len(o.History) >= 200 {
		o.History = o.History[1:]
	}
	o.History = append(o.History, Event{At: t.now().UTC(), Text: fmt.Sprintf(format, args...), Status: o.Status})
}

// enter moves an order to a stage and arms the timeout of that stage.
func (t *Simulator) enter(o *Order, stage Stage, status int) {
	o.Stage, o.Status = stage, status
	o.visit++
	t.note(o, "stage %s", stage)
	s := &t.settings
	switch stage {
	case StageForm:
		t.failLater(o, s.FormTimeoutMS, CodeFormTimeout)
	case StageRedirect:
		t.failLater(o, s.RedirectTimeoutMS, CodeRedirectTimeout)
	case StageACS:
		t.failLater(o, s.ThreeDSTimeoutMS, Code3DSTimeout)
	case StageProcessing, StageAuthorized, StageDone:
	}
	if s.CallbackNonTerminal && !o.Terminal() {
		t.callback(o)
	}
}

func (t *Simulator) failLater(o *Order, afterMS int, code string) {
	// By id, so that a long timeout does not keep a forgotten order in memory.
	id, visit := o.ProcessingID, o.visit
	t.queue.After(ms(afterMS), func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o := t.orders.byProcessing[id]; o != nil && o.visit == visit && !o.Terminal() {
			t.fail(o, code, nil)
		}
	})
}

// settleLater lets the card (or a rule) decide after a while.
func (t *Simulator) settleLater(o *Order, afterMS int) {
	visit := o.visit
	t.queue.After(ms(afterMS), func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o.visit == visit && !o.Terminal() {
			t.settle(o)
		}
	})
}

// settle ends an order as its card, its amount or a rule says.
func (t *Simulator) settle(o *Order) {
	code, failed := t.decline(o)
	cascade := []CascadeError(nil)
	if failed && code == CodeGateNotFound {
		cascade = []CascadeError{{GatePriority: 1, ErrorCategory: "PLATFORM_ERROR_ANTIFRAUD_RULES"}}
	}
	if rule := t.rule(o); rule != nil {
		code, failed, cascade = rule.Code, rule.Code != "", rule.Cascade
	}
	if failed {
		t.fail(o, code, cascade)
		return
	}
	t.succeed(o)
}

// decline reports whether an order fails by its card or its amount, and with which code.
func (t *Simulator) decline(o *Order) (code string, failed bool) {
	switch {
	case o.Back():
		return CodeProcessing, t.settings.RefundFails || o.Operation == OpRefund && o.parent.recipe != nil && o.parent.recipe.RefundFails
	case o.is(recipe.Paid):
		return "", false
	case o.is(recipe.Declined):
		return t.settings.DeclineCode, true
	case o.Withdrawal() && o.Error == CodeInsufficientFunds:
		return CodeInsufficientFunds, true
	}
	return t.declineCard(o)
}

// declineCard is decline for what the card, or the phone, says.
func (t *Simulator) declineCard(o *Order) (code string, failed bool) {
	behaviour := behaviourSuccess
	if o.Card != nil {
		behaviour = o.Card.behaviour
	}
	switch {
	case behaviour == behaviourExpired:
		return CodeEmitterDenial, true
	case o.Card != nil && o.Card.code != "" && o.Operation != OpTokenize:
		return o.Card.code, true
	case o.Withdrawal() && behaviour != behaviourSuccess, behaviour == behaviourDecline && o.Operation != OpTokenize:
		return t.settings.DeclineCode, true
	case o.Operation == OpMobile && strings.HasSuffix(o.Phone, "0000"):
		return CodeInsufficientFunds, true
	}
	return "", false
}

func (t *Simulator) rule(o *Order) *Rule {
	for i, r := range t.settings.Rules {
		if (r.OrderPrefix == "" || strings.HasPrefix(o.OrderID, r.OrderPrefix)) && (r.Amount == 0 || r.Amount == o.Amount) &&
			(r.Merchant == "" || r.Merchant == o.Merchant) && !o.Back() {
			return &t.settings.Rules[i]
		}
	}
	return nil
}

func (t *Simulator) nextRRN() string {
	t.rrn++
	return strconv.FormatInt(t.rrn, 10)
}

func (t *Simulator) succeed(o *Order) {
	o.Error, o.Cascade = "", nil
	o.RRN = t.nextRRN()
	if o.Card != nil && !o.Withdrawal() {
		o.ECI = "05"
	}
	if o.Operation == OpAuthorize {
		o.AuthorizeStatus = t.settings.AuthorizeStatusText
		t.end(o, StageAuthorized, t.settings.AuthorizedStatus)
		return
	}
	if o.Withdrawal() {
		t.accounts[accountKey{o.Merchant, o.Account}].hold -= o.Amount
	}
	t.end(o, StageDone, StatusSuccess)
}

func (t *Simulator) fail(o *Order, code string, cascade []CascadeError) {
	held := o.Withdrawal() && o.Error != CodeInsufficientFunds
	o.Error, o.Cascade = code, cascade
	if o.Back() {
		o.parent.Refunded -= o.Amount
	}
	if held {
		a := t.accounts[accountKey{o.Merchant, o.Account}]
		a.hold -= o.Amount
		a.Balance += o.Amount
	}
	t.end(o, StageDone, StatusFailed)
}

// end closes the operation and tells the merchant.
func (t *Simulator) end(o *Order, stage Stage, status int) {
	o.Stage, o.Status = stage, status
	o.visit++
	now := t.now().UTC()
	o.EndedAt = &now
	t.note(o, "finished: %s %s", statusWord(*o), o.Error)
	if status == StatusSuccess || status == StatusFailed || t.settings.CallbackNonTerminal {
		t.callback(o)
	}
	t.afterRecipe(o)
}

// Outcome is how a customer, or a test in the customer's place, ends an order:
// "success", "fail", "cancel", "form_timeout", "redirect_timeout", "3ds_timeout",
// or any code of the error dictionary. "hold_expired" lets held money go, without an error.
type Outcome string

// Outcomes lists what Complete takes beside the codes of the error dictionary.
func Outcomes() []Outcome {
	return []Outcome{"success", "fail", "cancel", "form_timeout", "redirect_timeout", "3ds_timeout", "hold_expired"}
}

var errorCode = regexp.MustCompile(`^[A-Z0-9]+(_[A-Z0-9]+)+$`)

// Errors of Complete.
var (
	ErrUnknownOrder = control.ErrUnknownOrder
	ErrFinished     = control.ErrFinished
)

// Complete ends an unfinished order as if the customer had done it.
func (t *Simulator) Complete(id string, outcome Outcome) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders.anyMerchant(id)
	if o == nil {
		return fmt.Errorf("complete %s: %w", id, ErrUnknownOrder)
	}
	return t.complete(o, outcome)
}

func (t *Simulator) complete(o *Order, outcome Outcome) error {
	if outcome == "hold_expired" {
		if o.Stage != StageAuthorized || o.pendingOp != "" {
			return fmt.Errorf("complete %s: no money is held", o.OrderID)
		}
		t.end(o, StageDone, StatusFailed)
		return nil
	}
	if o.Terminal() {
		return fmt.Errorf("complete %s: %w", o.OrderID, ErrFinished)
	}
	if !errorCode.MatchString(string(outcome)) {
		if err := names.Check("outcome", outcome, Outcomes()); err != nil {
			return fmt.Errorf("complete %s: %w, or a code of the error dictionary", o.OrderID, err)
		}
	}
	code, known := map[Outcome]string{
		"fail": CodeEmitterDenial, "cancel": Code3DSCancel, "form_timeout": CodeFormTimeout,
		"redirect_timeout": CodeRedirectTimeout, "3ds_timeout": Code3DSTimeout,
	}[outcome]
	switch {
	case outcome == "success":
		if o.Card == nil && (o.Operation == OpForm || o.Operation == OpTokenize) {
			o.Card = newCard(CardFrictionless, "", "12", "30")
		}
		if o.Operation == OpMobile && o.Phone == "" {
			o.Phone = "70000000001"
		}
		t.succeed(o)
		return nil
	case !known:
		code = string(outcome)
	}
	t.fail(o, code, nil)
	return nil
}

// cardTooSoon reports whether the same masked card was used within a minute and notes the use.
func (t *Simulator) cardTooSoon(c *Card) bool {
	if !t.settings.CardTimeLimit || c == nil {
		return false
	}
	now := t.now()
	last, used := t.cardUsed[c.Number]
	if len(t.cardUsed) > 10_000 {
		clear(t.cardUsed)
	}
	t.cardUsed[c.Number] = now
	return used && now.Sub(last) < time.Minute
}

// challenges reports whether an order's card asks for 3-D Secure.
func (t *Simulator) challenges(o *Order) bool {
	if o.Card == nil || o.Operation == OpTokenize || t.rule(o) != nil {
		return false
	}
	return o.is(recipe.FailsAuthentication) || o.Card.behaviour == behaviourChallenge && !o.is(recipe.Paid) && !o.is(recipe.Declined)
}

// startDirect begins a payment whose card is known from the request.
func (t *Simulator) startDirect(o *Order) {
	if t.cardTooSoon(o.Card) {
		t.enter(o, StageProcessing, StatusProcessing)
		t.fail(o, CodeCardTimeLimit, nil)
		return
	}
	if t.challenges(o) {
		t.enter(o, StageRedirect, StatusWaiting)
		return
	}
	t.enter(o, StageProcessing, StatusProcessing)
	t.settleLater(o, t.settings.ProcessingMS)
}

// beforeAnswer delivers the order's callback while the call that made it is
// still unanswered, when the fault asks for it. It must be called without the mutex.
func (t *Simulator) beforeAnswer(ctx context.Context, endpoint string, o *Order) {
	f, ok := t.faults.Take(endpoint, o.OrderID, fault.CallbackBeforeAnswer).Find(fault.CallbackBeforeAnswer)
	if !ok {
		return
	}
	t.mu.Lock()
	switch {
	case o.Terminal():
	case f.Outcome != "":
		_ = t.complete(o, Outcome(f.Outcome)) // not terminal, outcome not empty
	case o.Stage == StageProcessing:
		t.settle(o)
	default:
		t.callback(o)
	}
	var last *Callback
	if n := len(o.Callbacks); n > 0 {
		last = o.Callbacks[n-1]
	}
	t.mu.Unlock()
	if last != nil {
		t.sender.Deliver(ctx, &last.Delivery)
	}
}
