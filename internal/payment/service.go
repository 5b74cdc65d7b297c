package payment

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// Config is what the use cases need. Zero members get the defaults named.
type Config struct {
	Store   Store
	Drivers *gateway.Registry
	// Statements, ReadSheet and WriteSheet are needed for statements only.
	TransactionReports TransactionReportStore
	ReadSheet          SheetReader
	WriteSheet         SheetWriter
	// PublicURL is where providers reach us, without a slash at the end.
	PublicURL string
	// ProviderTimeout bounds every call to a provider; 30 s.
	ProviderTimeout time.Duration
	// CheckTimeout bounds a call that only asks; ProviderTimeout, or 10 s if that is less.
	CheckTimeout time.Duration
	// VisibilityDelay replaces the delay that each provider states for itself: for how long its "no such order", or its
	// "still held", proves nothing. Zero keeps the provider's own, as is right for everything but a simulator.
	VisibilityDelay time.Duration
	// AlwaysConfirm asks the provider about every callback instead of believing those that pass every rule.
	AlwaysConfirm bool
	// Schedule is when an unfinished order is checked; DefaultSchedule.
	Schedule Schedule
	Now      func() time.Time
	NewID    func() uuid.UUID
	// CallContext prepares the context of a call to a provider, for log fields. May be nil.
	CallContext func(context.Context, Subject) context.Context
	// Calling is told that a call to a provider begins; what it returns is called when the call has ended. May be nil.
	BeginExternalCall func(context.Context) (ended func())
	// Noted is told which order a callback is about, for the log line of its request. May be nil.
	AnnotateRequest func(context.Context, *Order)
	// Observe is told of verdicts and conflicts, for metrics. It must not block. May be nil.
	Observe func(Event)
}

// Subject is whose a call to a provider is, and what it is about.
type Subject struct {
	Shop    uuid.UUID
	Account string
	Order   uuid.UUID // zero if it is about none
}

func (o *Order) subject() Subject { return Subject{o.ShopID, o.AccountName, o.ID} }

// Event is something worth counting.
type Event struct {
	Provider string
	Source   Source
	Verdict  Verdict
	// Callback is set for callbacks only; it is "rejected" for one that must not be believed.
	Callback string
	// Rule is by which rule a callback is settled by asking the provider, empty for one that is not.
	Rule string
	// Conflicts is how many contradictions were recorded: also a report that is applied may be one, such as of another sum.
	Conflicts int
	Kind      gateway.Kind
	// Order is the order's id, for the log; zero for a callback that is about none.
	Order uuid.UUID
	// Account is the name of the order's account, or of the one that a callback came to.
	Account string
	// CredentialsRefused says that the provider did not take Account's secrets, so nothing of that account goes until an
	// operator mends them.
	CredentialsRefused bool
}

// credentialsRefused reports whether a provider and an account do not share a secret.
func credentialsRefused(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && (e.Kind == gateway.KindCredentials || e.Code == gateway.CodeNotSigned)
}

// Service holds the use cases. It is safe for concurrent use.
type Service struct {
	Config
	gateways sync.Map // account id → *opened
	files    files
}

// New returns the use cases. Store and Drivers are required.
func New(c Config) *Service {
	if c.ProviderTimeout <= 0 {
		c.ProviderTimeout = 30 * time.Second
	}
	if c.CheckTimeout <= 0 || c.CheckTimeout > c.ProviderTimeout {
		c.CheckTimeout = min(c.ProviderTimeout, 10*time.Second)
	}
	if c.Schedule == nil {
		c.Schedule = DefaultSchedule
	}
	if c.Now == nil {
		c.Now = func() time.Time { return faultpoint.Now().UTC().Truncate(time.Microsecond) }
	}
	if c.NewID == nil {
		c.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	if c.AnnotateRequest == nil {
		c.AnnotateRequest = func(context.Context, *Order) {}
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	if c.BeginExternalCall == nil {
		c.BeginExternalCall = func(context.Context) func() { return func() {} }
	}
	if c.CallContext == nil {
		c.CallContext = func(ctx context.Context, _ Subject) context.Context { return ctx }
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return &Service{Config: c}
}

type opened struct {
	gateway     gateway.Gateway
	description gateway.Description
	settings    map[string]string
	secrets     map[string]gateway.Secret
}

// open returns the gateway of an account. An opened one is kept until an operator changes the account's secrets.
func (s *Service) open(a Account) (*opened, error) {
	if kept, ok := s.gateways.Load(a.ID); ok {
		if o := kept.(*opened); maps.Equal(o.secrets, a.Secrets) && maps.Equal(o.settings, a.Settings) { //nolint:forcetypeassert // only this function stores
			return o, nil
		}
	}
	d, err := s.Drivers.Driver(a.Provider)
	if err != nil {
		return nil, fmt.Errorf("open account %s: %w", a.Name, err)
	}
	gw, err := d.Open(gateway.Account{ID: a.ID.String(), Name: a.Name, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets})
	if err != nil {
		return nil, fmt.Errorf("open account %s: %w", a.Name, err)
	}
	description := d.Describe()
	if s.VisibilityDelay > 0 {
		description.VisibilityDelay = s.VisibilityDelay
	}
	o := &opened{gw, description, a.Settings, a.Secrets}
	s.gateways.Store(a.ID, o)
	return o, nil
}

// CallbackURL returns the address that a provider is told for an account.
func (s *Service) CallbackURL(a Account) string {
	return s.PublicURL + "/callbacks/" + a.Provider + "/" + a.CallbackToken.Reveal()
}

// AccountInfo is an account and what it can do.
type AccountInfo struct {
	Account
	Capabilities []string
}

// Accounts lists the accounts a shop may use.
func (s *Service) Accounts(ctx context.Context, shop uuid.UUID) ([]AccountInfo, error) {
	accounts, err := s.Store.ShopAccounts(ctx, shop)
	if err != nil {
		return nil, err
	}
	infos := make([]AccountInfo, 0, len(accounts))
	for _, a := range accounts {
		o, err := s.open(a)
		if err != nil {
			return nil, err
		}
		infos = append(infos, AccountInfo{a, capabilities(a, o.gateway)})
	}
	return infos, nil
}

// belongs names the capabilities that only accounts of one purpose have. A balance is what payouts are paid from.
var belongs = map[string]Purpose{
	"cancel": PurposePayments, "capture": PurposePayments, "recurring": PurposePayments, "refund": PurposePayments,
	"balance": PurposePayouts, "payout": PurposePayouts, "payout_card": PurposePayouts, "transfer": PurposePayouts, "transfer_import": PurposePayouts,
}

// capabilities names what an account can do: what its provider can, as far as it was set up for it.
func capabilities(a Account, g gateway.Gateway) []string {
	return slices.DeleteFunc(gateway.Capabilities(g), func(name string) bool {
		purpose, only := belongs[name]
		return only && a.Purpose != PurposeAny && a.Purpose != purpose
	})
}

// Order returns one order of a shop.
func (s *Service) Order(ctx context.Context, key Key) (*Order, error) { return s.Store.Order(ctx, key) }

// Orders searches a shop's orders, newest first.
func (s *Service) Orders(ctx context.Context, f Filter) (Page[*Order], error) {
	return s.Store.Orders(ctx, f)
}

// History returns every transition of an order, the oldest first.
func (s *Service) History(ctx context.Context, key Key) ([]Transition, error) {
	return s.Store.History(ctx, key)
}

// Notified returns where an order's notifications stand, in the order of its history.
func (s *Service) Notified(ctx context.Context, key Key) ([]Notified, error) {
	return s.Store.Notified(ctx, key)
}

// Feed returns a shop's notifications after a cursor, the oldest first.
func (s *Service) Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (Page[FeedItem], error) {
	return s.Store.Feed(ctx, shop, after, limit)
}

// newProviderOrderID makes the id that the provider gets: 128 random bits, so that nobody can type a valid one into a
// name field, behind a prefix that tells people where it comes from.
func newProviderOrderID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return providerOrderPrefix + hex.EncodeToString(b)
}

const providerOrderPrefix = "pr-"

// madeByUs reports whether a provider's name of an order is one of ours.
func madeByUs(id string) bool {
	digits, ours := strings.CutPrefix(id, providerOrderPrefix)
	_, err := hex.DecodeString(digits)
	return ours && len(digits) == 32 && err == nil
}

// newOrder returns an order in its first state. It is not stored yet.
func (s *Service) newOrder(o Order) *Order {
	now := s.Now()
	o.ID, o.ProviderOrderID = s.NewID(), newProviderOrderID()
	o.CreatedAt, o.UpdatedAt, o.PollsSince = now, now, now
	o.step(StatusCreated, SourceRequest, nil, now)
	o.intend(s.policy(), now)
	o.snapshot()
	return &o
}

// submit is the one road to a provider for a new order: write it down, call with no transaction open, write down what
// came of it. call gets a context that outlives the caller's: whoever asked may go away, the money does not.
func (s *Service) submit(ctx context.Context, o *Order, operation string, call func(context.Context) (gateway.Result, error)) (*Order, bool, error) {
	return s.enter(ctx, o, operation, s.inTime(s.latest(o), operation, call))
}

// enter is submit for a call that may come late, because it sends nothing.
func (s *Service) enter(ctx context.Context, o *Order, operation string, call func(context.Context) (gateway.Result, error)) (*Order, bool, error) {
	stored, created, err := s.create(ctx, o)
	if err != nil {
		return nil, false, err
	}
	if !created {
		if !equalHash(stored.RequestHash, o.RequestHash) {
			return nil, false, errReferenceConflict
		}
		return stored, false, nil
	}
	ctx = context.WithoutCancel(ctx)
	faultpoint.Hit("order-written")
	done, err := s.ask(ctx, stored, operation, call)
	if err != nil {
		return nil, false, err
	}
	return done, true, nil
}

// latest is until when an order, as it was written down for a call, may be on its way. From then on checks may prove that the
// call never arrived.
func (s *Service) latest(stored *Order) time.Time { return stored.PollsSince.Add(s.ProviderTimeout) }

// inTime lets a call begin only before a time, no later than latest, and ends it then: a process that was paused or waited for
// the database in between must not make the checks wrong.
func (s *Service) inTime(until time.Time, operation string, call func(context.Context) (gateway.Result, error)) func(context.Context) (gateway.Result, error) {
	return func(ctx context.Context) (gateway.Result, error) {
		left := until.Sub(s.Now())
		if left <= 0 {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: operation, Code: "too_late"}
		}
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		return call(ctx)
	}
}

// ask calls the provider about an order as it is stored now, and records what came of it.
func (s *Service) ask(ctx context.Context, stored *Order, operation string, call func(context.Context) (gateway.Result, error)) (*Order, error) {
	return s.askFor(ctx, stored, operation, call, answerObservation)
}

// askFor is ask with its own reading of the answer. report may run twice, each time on a new load of the order.
func (s *Service) askFor(ctx context.Context, stored *Order, operation string, call func(context.Context) (gateway.Result, error),
	report func(o *Order, result gateway.Result, err error, basis int, now time.Time) Observation,
) (*Order, error) {
	started, begin, basis := s.Now(), time.Now(), stored.Sequence
	callCtx, cancel := context.WithTimeout(s.CallContext(ctx, stored.subject()), s.ProviderTimeout)
	ended := s.BeginExternalCall(ctx)
	result, callErr := call(callCtx)
	took := time.Since(begin)
	ended()
	cancel()
	faultpoint.Hit("provider-answered")
	made := Call{ID: s.NewID(), Operation: operation, StartedAt: started, Duration: took, Outcome: outcomeOf(result, callErr), ProviderData: providerDataOf(result, callErr)}
	var verdict Verdict
	conflicts := 0
	o, recorded, err := s.retryWrite(ctx, stored.Key(), func(o *Order) error {
		now := s.Now()
		o.AddCall(made)
		result := result
		if o.Operation != stored.Operation {
			// A capture or cancel was begun meanwhile. This is not its answer, and what the adapter keeps of the order is
			// newer than what this answer tells.
			result.State = unknownTo(o, result.State)
		} else if callErr == nil {
			o.Verification = o.OnAnswer(o.facts())
		}
		if verdict, conflicts = Stale, 0; callErr != nil && o.Operation != stored.Operation {
			return nil // the command was settled by others meanwhile, and its failure says nothing about the order
		}
		r := report(o, result, callErr, basis, now)
		verdict = o.observe(s.policy(), r)
		if gateway.KindOf(callErr) == gateway.KindDuplicate {
			o.Verification = o.OnAcknowledgment(o.facts())
			o.contradict(r, "the provider had an order of this id before: somebody else uses our ids, or a request was repeated")
		}
		conflicts = len(o.NewConflicts())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if recorded {
		verdict, conflicts = Repeat, 0
	}
	faultpoint.Hit("outcome-written")
	s.Observe(Event{Provider: o.Provider, Source: SourceAnswer, Verdict: verdict, Conflicts: conflicts, Kind: o.Kind, Order: o.ID, Account: o.AccountName, CredentialsRefused: credentialsRefused(callErr)})
	return o, nil
}

// The codes of failures that are ours: the provider is not known to have the order.
const (
	codeNotSent  = "not_sent"
	codeNotFound = "not_found"
)

// answerReport is what a provider's answer to a call that may move money means.
func answerObservation(o *Order, result gateway.Result, err error, basis int, now time.Time) Observation {
	if err == nil {
		r := o.withoutForm(ObservationOf(result, SourceAnswer, basis, now))
		if o.Status == StatusCreated && !r.Status.Valid() {
			r.Status, r.Reason = notListed(o)
		}
		return r
	}
	r := Observation{Source: SourceAnswer, AsOf: basis, State: result.State, ProviderData: providerDataOf(result, err), At: now}
	code := "no_answer"
	if e, ok := errors.AsType[*gateway.Error](err); ok && e.Code != "" {
		code = e.Code
	}
	fail := func(category gateway.FailureCategory, advice gateway.Advice, code, message string) Observation {
		r.Status = StatusFailed
		r.Failure = &gateway.Failure{Category: category, Code: code, Message: message, Advice: advice, Cascade: []gateway.CascadeError{}}
		return r
	}
	if o.modificationPending() {
		// A capture or cancel that did not happen leaves the money held.
		switch gateway.KindOf(err) {
		case gateway.KindNotSent, gateway.KindCredentials, gateway.KindDeclined, gateway.KindInvalid, gateway.KindUnsupported:
			r.Status, r.Reason = StatusAuthorized, "The provider did not do the "+string(o.Operation)+"; the money is still held."
			if !o.wasAuthorized() {
				r.Status, r.Reason = StatusRequiresAction, "The provider did not give the payment up; it can still be paid."
			}
			if clockOff(err) {
				r.Reason = clockMessage + " The money is still held."
			}
		case gateway.KindUnknown, gateway.KindNotFound, gateway.KindDuplicate, gateway.KindRejected, gateway.KindInvalidSignature:
			r.Status = StatusUnknown // no step: the order stays processing and is asked about
		}
		return r
	}
	switch gateway.KindOf(err) {
	case gateway.KindNotSent:
		if code == gateway.CodeNotSigned {
			return fail(gateway.FailureUnavailable, gateway.AdviceContactProvider, code, "The provider's answer was not signed with this account's key, so nothing was sent of this order. The operators must compare the account's secret with the provider's.")
		}
		return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, codeNotSent, "The provider could not be reached, and nothing was sent to it.")
	case gateway.KindCredentials:
		return fail(gateway.FailureUnavailable, gateway.AdviceContactProvider, code, "The provider refused this account's credentials. Nothing happened to the money; the operators were told.")
	case gateway.KindDeclined:
		if clockOff(err) {
			return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, code, clockMessage+" Nothing happened to the money.")
		}
		if code == gateway.CodeUnanswered {
			return fail(gateway.FailureUnavailable, gateway.AdviceRetryLater, code, "The provider did not answer the first of two steps, which moves no money, and the second was not taken. Nothing happened to the money.")
		}
		return fail(gateway.FailureInvalid, gateway.AdviceFixRequest, code, "The provider refused the request."+faults(err))
	case gateway.KindInvalid, gateway.KindUnsupported:
		return fail(gateway.FailureInvalid, gateway.AdviceFixRequest, code, "The provider cannot do this. Nothing was sent to it.")
	case gateway.KindUnknown, gateway.KindDuplicate, gateway.KindNotFound, gateway.KindRejected, gateway.KindInvalidSignature:
		r.Status, r.Reason = StatusUnknown, "The provider gave no answer that can be believed. It is being asked."
		if gateway.KindOf(err) == gateway.KindDuplicate {
			r.Reason = "The provider has an order of this id already. It is being asked about it."
		}
	}
	return r
}

// notListed is what an order becomes whose first answer names a state that is not listed, and why. A transfer that was found
// is with the provider; whether it took what was sent, only a state that is understood tells.
func notListed(o *Order) (Status, string) {
	if o.imported() {
		return StatusProcessing, "The provider names a state that is not listed. It is being asked."
	}
	return StatusUnknown, "The provider answered with a state that is not listed. It is being asked."
}

// faults says which members of a request a provider did not accept, behind a space, or "".
func faults(err error) (text string) {
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		for _, f := range e.Fields {
			text += " " + f.Field + ": " + f.Message + "."
		}
	}
	return text
}

func outcomeOf(r gateway.Result, err error) string {
	if err != nil {
		return gateway.KindOf(err).String()
	}
	if r.Status == "" {
		return "not_understood"
	}
	return string(r.Status)
}

func providerDataOf(r gateway.Result, err error) gateway.ProviderData {
	if err == nil {
		return r.ProviderData
	}
	e := gateway.ProviderData{"outcome": gateway.KindOf(err).String()}
	if g, ok := errors.AsType[*gateway.Error](err); ok {
		for k, v := range g.ProviderData {
			e[k] = v
		}
		if g.Code != "" {
			e["code"] = g.Code
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		e["timeout"] = "true"
	}
	return e
}

var errReferenceConflict = &Error{Code: CodeReferenceConflict, Message: "This reference was used before for another request. Send a new reference for a new order, or the first request again to get the first order."}

func equalHash(a, b []byte) bool { return string(a) == string(b) }
