package payment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/limit"
)

// Config is what the use cases need. Zero members get the defaults named.
type Config struct {
	Store   Store
	Drivers *gateway.Registry
	// DisputeStore is needed for disputes only.
	DisputeStore DisputeStore
	// Imports is needed for the import of mandates, and for callbacks about what was imported.
	Imports ImportStore
	// TransactionReports, ReadSheet and WriteSheet are needed for transaction reports only.
	TransactionReports TransactionReportStore
	ReadSheet          SheetReader
	WriteSheet         SheetWriter
	// RoutingRules returns a shop's active routing rules, nil if there are none. May be nil.
	RoutingRules func(context.Context, uuid.UUID) (*RoutingRules, error)
	// FingerprintKey is what card numbers, destinations and the keys of splits are hashed with, to be recognized. Without it none is.
	FingerprintKey []byte
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
	// FailoverWithin is how long after an order was created an attempt at another account may begin; DefaultFailoverWithin.
	FailoverWithin time.Duration
	// DeclinePolls are the pauses before the polls that are to show that a declined attempt is over; 300 ms and 700 ms.
	DeclinePolls []time.Duration
	// Schedule is when an unfinished order is polled; DefaultSchedule.
	Schedule Schedule
	Now      func() time.Time
	NewID    func() uuid.UUID
	// BeginExternalCall is told that a call to a provider begins, and whose it is. It returns the call's context, with log
	// fields, and what is called when the call has ended. May be nil.
	BeginExternalCall func(context.Context, Subject) (_ context.Context, ended func())
	// AnnotateRequest is told which order a callback is about, for the log line of its request. May be nil.
	AnnotateRequest func(context.Context, *Order)
	// Observe is told of verdicts and conflicts, for metrics. It must not block. May be nil.
	Observe func(Event)
	// Called is told what came of a call to an account's provider that may move money. It must not block. May be nil.
	Called func(account uuid.UUID, outcome CallOutcome)
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
	// Conflicts is how many contradictions were recorded: also an observation that is applied may be one, such as of another sum.
	Conflicts int
	Kind      gateway.Kind
	// Order is the order's id, for the log; zero for a callback that is about none.
	Order uuid.UUID
	// Account is the name of the order's account, or of the one that a callback came to.
	Account string
	// CredentialsRefused says that the provider did not take Account's secrets, so nothing of that account goes until an
	// operator mends them.
	CredentialsRefused bool
	// Elsewhere is the account that the order went to instead of Account, because of Reason: nothing was sent, or it was declined.
	// Both are empty for every other event.
	Elsewhere, Reason string
	// Routed is the rule by which a new payment went to Account, or RoutedOtherwise; an empty Account is for one that no account takes.
	Routed string
	// Ended is how the order came to its end by this, nil if it did not.
	Ended *Ended
	// ChargeRefused is why a scheduled charge of mandate Order could not begin: its shop or account takes none.
	ChargeRefused error
	// Secrets says which of Account's secrets a callback was signed with: SecretsCurrent, SecretsPrevious or SecretsStaged.
	Secrets string
}

// credentialsRefused reports whether a provider and an account do not share a secret.
func credentialsRefused(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && (e.Kind == gateway.KindCredentials || e.Code == gateway.CodeNotSigned)
}

// Service holds the use cases. It is safe for concurrent use.
type Service struct {
	Config
	gateways sync.Map // openedAs → *opened
	files    *limit.Limiter
	reading  *limit.Limiter // of transaction reports
}

// New returns the use cases. Store and Drivers are required.
func New(c Config) *Service {
	if c.ProviderTimeout <= 0 {
		c.ProviderTimeout = 30 * time.Second
	}
	if c.CheckTimeout <= 0 || c.CheckTimeout > c.ProviderTimeout {
		c.CheckTimeout = min(c.ProviderTimeout, 10*time.Second)
	}
	if c.FailoverWithin <= 0 {
		c.FailoverWithin = DefaultFailoverWithin
	}
	if c.DeclinePolls == nil {
		c.DeclinePolls = defaultDeclinePolls
	}
	if c.Schedule == nil {
		c.Schedule = DefaultSchedule
	}
	if c.Now == nil {
		c.Now = func() time.Time { return faultpoint.Now().UTC().Truncate(time.Microsecond) }
	}
	if c.NewID == nil {
		c.NewID = (&idMaker{now: c.Now}).next
	}
	if c.RoutingRules == nil {
		c.RoutingRules = func(context.Context, uuid.UUID) (*RoutingRules, error) { return nil, nil } //nolint:nilnil // none are an answer
	}
	if c.AnnotateRequest == nil {
		c.AnnotateRequest = func(context.Context, *Order) {}
	}
	if c.Called == nil {
		c.Called = func(uuid.UUID, CallOutcome) {}
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	if c.BeginExternalCall == nil {
		c.BeginExternalCall = func(ctx context.Context, _ Subject) (context.Context, func()) { return ctx, func() {} }
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	return &Service{Config: c, files: newFileSlots(), reading: limit.New(limit.Bounds{All: transactionReportsRead})}
}

// openedAs is an account with its secrets of a stage.
type openedAs struct {
	account uuid.UUID
	stage   string // "" for those that calls use
}

type opened struct {
	gateway     gateway.Gateway
	description gateway.Description
	settings    map[string]string
	secrets     map[string]gateway.Secret
}

// open returns the gateway of an account. An opened one is kept until an operator changes the account's secrets.
func (s *Service) open(a Account) (*opened, error) { return s.openAs(a, openedAs{account: a.ID}) }

func (s *Service) openAs(a Account, as openedAs) (*opened, error) {
	if kept, ok := s.gateways.Load(as); ok {
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
	s.gateways.Store(as, o)
	return o, nil
}

// CallbackURL returns the address that a provider is told for an account.
func (s *Service) CallbackURL(a Account) string {
	return s.PublicURL + "/callbacks/" + a.Provider + "/" + a.CallbackToken.Reveal()
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
func (s *Service) Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (FeedPage, error) {
	return s.Store.Feed(ctx, shop, after, limit)
}

// FeedCursor returns where a shop's notifications of a time and later begin.
func (s *Service) FeedCursor(ctx context.Context, shop uuid.UUID, since time.Time) (string, error) {
	return s.Store.FeedCursor(ctx, shop, since)
}

// newOrder returns an order in its first state, with its id at the provider for an attempt. It is not stored yet.
func (s *Service) newOrder(ctx context.Context, o Order, attempt int) (*Order, error) {
	id, err := s.Store.ProviderOrderID(ctx, o.ShopID, o.Kind, o.Reference, attempt)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	o.ID, o.ProviderOrderID = s.NewID(), id
	o.CreatedAt, o.UpdatedAt, o.PollsSince = now, now, now
	o.step(StatusCreated, SourceRequest, nil, now)
	o.intend(s.policy(), now)
	o.snapshot()
	return &o, nil
}
