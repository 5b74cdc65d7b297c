package payment

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// Delivery is one notification on its way to a shop.
type Delivery struct {
	Key Key
	// Shop and Account are the names of the shop and of the order's account, for the log.
	Shop, Account string
	Sequence      int
	ID            uuid.UUID // the webhook-id
	URL           string
	Moved         bool   // it was made for another address
	Payload       []byte // signed and sent as it is
	// LeasedUntil is when somebody else may send it.
	LeasedUntil time.Time
	// Attempt is the number of this attempt, from 1.
	Attempt int
	// AttemptsBefore is how many of them were made before an operator last sent it again: retries are planned by those since.
	AttemptsBefore int
	CreatedAt      time.Time
	Secrets        []gateway.Secret // whsec_…, the newest first; each signs
	// AllowCIDRs are the internal addresses that this shop's notifications may go to.
	AllowCIDRs []string
}

// Destination is what fails and recovers as one: the scheme, host and port of an address.
func Destination(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// Attempt is how a delivery ended.
type Attempt struct {
	At         time.Time
	Duration   time.Duration
	HTTPStatus int    // 0: no answer
	Error      string // a short word, never the answer's text
	// Delivered: the shop answered 2xx. Gone: it answered 410, and the address is switched off.
	Delivered, Gone bool
	// RetryAt is when to try again; zero gives the notification up until an operator sends it again.
	RetryAt time.Time
	// NotBefore is what the shop asked for with Retry-After: no success elsewhere brings the next attempt forward. Zero: nothing.
	NotBefore time.Time
}

// NotificationState is where a notification stands.
type NotificationState string

// The states of a notification.
const (
	NotificationPending   NotificationState = "pending"       // waits for its turn or its next attempt
	NotificationDelivered NotificationState = "delivered"     // the shop answered 2xx
	NotificationHeld      NotificationState = "held"          // its address answered 410, and no operator has resumed yet
	NotificationDead      NotificationState = "dead_lettered" // given up on until an operator sends it again
	NotificationFeed      NotificationState = "feed"          // had no address to go to; the feed has it
	// NotificationUnrecorded is one that nothing delivers any more, and no attempt proves that the shop has it.
	NotificationUnrecorded NotificationState = "unrecorded"
)

// Notified is where the notification about a transition stands.
type Notified struct {
	Sequence int
	ID       uuid.UUID // the webhook-id
	State    NotificationState
	URL      string // "" without an address
	Attempts int
	// Last is how the last attempt ended that was written down, nil before the first.
	Last *Attempt
	// NextAttemptAt is when the next attempt is due, nil if none is planned.
	NextAttemptAt *time.Time
	DeliveredAt   *time.Time
}

// Outbox hands out notifications in the order of each order's history.
type Outbox interface {
	// LeaseDelivery takes the order's oldest notification that is not delivered, if it is due, for the length of lease,
	// so that nobody else sends it meanwhile. None to send is nil and a zero time; not due or leased yet is nil and the
	// time to ask again. One that was given up on, or is held because its address answered 410, holds back those behind it. room is asked, perhaps more than once, before
	// the lease is taken: a time other than zero puts the notification off until then, and no attempt is counted.
	LeaseDelivery(ctx context.Context, key Key, lease time.Duration, room func(url string) time.Time) (*Delivery, time.Time, error)
	// FinishDelivery writes an attempt down and settles the notification by it. With Gone, the address is switched off for
	// the shop, and what would go there is held; unless the lease has gone to somebody else, or the notification would go
	// elsewhere by now: then it is an attempt that failed, and the next is due at once. The first success at a destination
	// after several failures makes what waits for it due, at a bounded pace. more reports that the order may have another one due.
	FinishDelivery(ctx context.Context, d *Delivery, a Attempt) (more bool, err error)
}
