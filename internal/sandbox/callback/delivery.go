package callback

import (
	"slices"
	"time"
)

// MaxKept bounds what one order stores and sends.
const MaxKept = 500

// Delivery is how one callback is delivered. A simulator embeds it in what it keeps of
// a callback. It is guarded by the mutex of the Sender's Config.
type Delivery struct {
	QueuedAt time.Time `json:"queued_at"`
	Attempts []Attempt `json:"attempts"`
	// Suppressed says why it was never sent.
	Suppressed string `json:"suppressed,omitempty"`

	url     string
	body    string
	claimed bool // somebody is delivering it: the queue, or a call that waits for it
}

// Attempt is one delivery and the answer it got.
type Attempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // HTTP status, 0 when there was no answer
	Body   string    `json:"body,omitempty"`
	Error  string    `json:"error,omitempty"`
	TookMS int64     `json:"took_ms"`
}

// To is the delivery of a body to an address, not queued yet.
func To(url, body string) Delivery { return Delivery{url: url, body: body} }

// Body is what is sent.
func (d *Delivery) Body() string { return d.body }

// Clone returns a copy that no later attempt changes.
func (d *Delivery) Clone() Delivery {
	out := *d
	out.Attempts = slices.Clone(d.Attempts)
	return out
}
