package httpapi

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/connlimit"
	"payrelay/internal/limit"
	"payrelay/internal/shop"
)

// Reasons why a key, or the address of a callback, was not accepted, beside those of shop.KeyReason.
const (
	reasonMissing  = "missing" // there is no key, or it does not stand in its header alone
	reasonUnknown  = string(shop.KeyUnknown)
	reasonScope    = "scope"    // the key is good, and not for this operation
	reasonCallback = "callback" // no account has this callback address
)

var failureReasons = []string{
	reasonMissing, string(shop.KeyMalformed), string(shop.KeyChecksum), reasonUnknown, string(shop.KeyRevoked), string(shop.KeyExpired), string(shop.KeyNetwork),
	string(shop.KeyDisabled), string(shop.KeyAltered), reasonScope, reasonCallback,
}

// What an address may get wrong before it is only told to wait. A /48 of IPv6 is one customer of a provider, and may get ten
// times as much wrong.
var (
	failureRate        = limit.Rate{Quota: 10, Window: time.Minute}
	failureRateOfRange = limit.Rate{Quota: 100, Window: time.Minute}
)

// failures counts what was not accepted, by the address that it came from. It slows down whoever guesses, and nobody else: a
// key is looked up first, and one that is good passes from any address.
type failures struct {
	log     zerolog.Logger
	counted *prometheus.CounterVec
	rates   limit.Rates[netip.Prefix]

	mu      sync.Mutex
	reports map[netip.Prefix]*failureReport
}

// failureReport is the failures of an address that were not logged yet.
type failureReport struct {
	count   int
	reasons map[string]int
	// keyID is the id of the last key that has one.
	keyID string
}

const (
	// reportEvery is how far apart two log lines about one address are.
	reportEvery = time.Minute
	// maxReports is how many addresses have lines of their own. All others share one.
	maxReports = 1000
)

// add counts a failure, and returns how long its address has to wait, or zero.
func (f *failures) add(from netip.Addr, reason, keyID string) time.Duration {
	f.counted.WithLabelValues(reason).Inc()
	client, _ := from.Prefix(from.BitLen())
	wait := time.Duration(0)
	if from.Is6() {
		client, _ = from.Prefix(64)
		all, _ := from.Prefix(48)
		wait = refused(f.rates.Take(all, failureRateOfRange))
	}
	wait = max(wait, refused(f.rates.Take(client, failureRate)))
	f.report(client, reason, keyID)
	return wait
}

// refused is how long one has to wait that was not allowed, or zero.
func refused(l limit.Left) time.Duration {
	if l.Allowed {
		return 0
	}
	return l.Next
}

// report adds a failure to the next log line about its address.
func (f *failures) report(client netip.Prefix, reason, keyID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reports == nil {
		f.reports = map[netip.Prefix]*failureReport{}
	}
	if f.reports[client] == nil && len(f.reports) >= maxReports {
		client = netip.Prefix{}
	}
	r := f.reports[client]
	if r == nil {
		r = &failureReport{reasons: map[string]int{}}
		f.reports[client] = r
		time.AfterFunc(reportEvery, func() { f.write(client) })
	}
	r.count++
	r.keyID = cmp.Or(keyID, r.keyID)
	r.reasons[reason]++
}

// write logs what an address got wrong since the last line.
func (f *failures) write(client netip.Prefix) {
	f.mu.Lock()
	r := f.reports[client]
	delete(f.reports, client)
	f.mu.Unlock()
	from := client.Addr().String()
	switch {
	case !client.IsValid():
		from = "others"
	case !client.IsSingleIP():
		from = client.String()
	}
	reasons := zerolog.Dict() //nolint:zerologlint // part of the line below
	for _, reason := range failureReasons {
		if n := r.reasons[reason]; n > 0 {
			reasons.Int(reason, n)
		}
	}
	line := f.log.Warn().Str("client_ip", from) //nolint:zerologlint // sent below
	if r.keyID != "" {
		line.Str("key_id", r.keyID)
	}
	line.Int("count", r.count).Dict("reasons", reasons).Msg("auth_failures")
}

// brake counts a failure of a request's address, and answers the request if that address has to wait. Neither is logged by
// itself: a guesser may send very many.
func (s *server) brake(w http.ResponseWriter, r *http.Request, reason, keyID string) bool {
	wait := s.failures.add(clientIP(r), reason, keyID)
	if rec := recordOf(r.Context()); rec != nil {
		rec.counted = true
	}
	if wait == 0 {
		return false
	}
	connlimit.Hold(r.Context(), holdLeast+rand.N(holdSpread)) //nolint:gosec // no secret
	w.Header().Set("Connection", "close")
	s.problem(w, r, problem{
		Status: http.StatusTooManyRequests, Code: codeRateLimited, RetryAfter: seconds(wait),
		Detail: "Too many requests from this address had no valid key. Wait for Retry-After seconds. A request with a valid key is taken at any time.",
	})
	return true
}

// seconds rounds a time to wait up to whole seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// The answer to an address that has to wait is held back between holdLeast and holdLeast + holdSpread. Each connection of a
// flood so brings one request in that time, and they do not come back together.
const holdLeast, holdSpread = 500 * time.Millisecond, time.Second
