package control

import (
	"github.com/rs/zerolog"

	"payrelay/internal/sandbox/clock"
)

// Config is what a simulator needs. Its merchants are of type M, its settings of type S.
type Config[M any, S Validated] struct {
	// BaseURL tells under which address the simulator's handler is reachable, without a
	// slash at the end. Empty text means: take the host of the request.
	BaseURL func() string
	// Merchants are the provider's customers; the simulator has one to begin with.
	Merchants []M
	// Hosts are addresses that some of them have for themselves.
	Hosts Hosts
	// Settings defaults to the simulator's DefaultSettings.
	Settings *S
	// Recipes lets orders of certain amounts meet their faults; see package recipe.
	Recipes bool
	// MaxOrders bounds memory; 0 means 100000. Recorded requests are bounded to a tenth.
	MaxOrders int
	// Clock is the time of all that is dated or due; nil means one that nobody moves.
	Clock *clock.Clock
	// Log gets one line per API request and callback.
	Log zerolog.Logger
}

// Complete returns the configuration with defaults for what is empty. The error names a setting that makes no sense.
func (c Config[M, S]) Complete(settings S, merchants ...M) (Config[M, S], error) {
	if len(c.Merchants) == 0 {
		c.Merchants = merchants
	}
	if c.MaxOrders <= 0 {
		c.MaxOrders = 100_000
	}
	if c.BaseURL == nil {
		c.BaseURL = func() string { return "" }
	}
	if c.Clock == nil {
		c.Clock = clock.New(nil, 0)
	}
	if c.Settings == nil {
		c.Settings = &settings
	}
	return c, (*c.Settings).Validate()
}
