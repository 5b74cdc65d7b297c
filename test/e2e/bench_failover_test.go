package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkFailover measures payments of a shop with two accounts while the first one's host refuses connections, against the same
// load with both alive, in turns. All of them must succeed. Of the rounds' 99th percentiles the middle ones are compared. How far two
// such figures differ when nothing differs is measured beside it: the noise.
func BenchmarkFailover(b *testing.B) {
	const rate, length, rounds = 20, 8 * time.Second, 4
	d, _ := startMeasured(b, twoHosts...)
	d.secondAccount(b.TempDir())
	l := newLoad(d)
	round := func() []requestOutcome {
		all := l.steady(rate, length, "", "EUR")
		require.Equal(b, len(all), len(slices.DeleteFunc(slices.Clone(all), func(o requestOutcome) bool { return o.status != http.StatusCreated })), "every payment succeeds")
		return all
	}
	l.steady(rate, 3*time.Second, "", "EUR") // warm
	b.ResetTimer()
	var well, repeated, dead [][]requestOutcome
	for range rounds {
		well = append(well, round())
		d.host("test", "refused")
		dead = append(dead, round())
		d.host("test", "open")
		// The account is passed over until its host is tried again: the next round is not to pay for that.
		require.Eventually(b, func() bool {
			return l.create("EUR-sandbox", "EUR") == http.StatusCreated
		}, waitTimeout, time.Second)
		repeated = append(repeated, round())
	}
	b.Logf("p99 of each round, both alive %v, once more %v, one dead %v", quantiles(well, 0.99), quantiles(repeated, 0.99), quantiles(dead, 0.99))
	all := slices.Concat(well, repeated)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1000*middle(all, 0.99), "alive-p99-ms")
	b.ReportMetric(1000*middle(dead, 0.99), "dead-p99-ms")
	b.ReportMetric(1000*(middle(dead, 0.99)-middle(all, 0.99)), "growth-p99-ms")
	b.ReportMetric(1000*(middle(repeated, 0.99)-middle(well, 0.99)), "noise-p99-ms")
	b.ReportMetric(1000*(middle(dead, 0.5)-middle(all, 0.5)), "growth-p50-ms")
}
