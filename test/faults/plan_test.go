package faults

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPlanComesFromItsSeed(t *testing.T) {
	t.Parallel()
	require.Equal(t, NewPlan(7, 200, 0), NewPlan(7, 200, 0))
	require.NotEqual(t, NewPlan(7, 200, 0).Orders, NewPlan(8, 200, 0).Orders)
	require.Equal(t, 2, NewPlan(7, 200, 2).Replicas)
}

// The plan of a run with a safeguard off is the same and has more faults.
func TestAPlanProvokesWhatASafeguardIsFor(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"timer", "writeahead", "rowlock", "dedupe", "failover"} {
		plain, more := NewPlan(7, 200, 0), NewPlan(7, 200, 0)
		more.Provoke(name)
		require.Equal(t, plain.Orders, more.Orders, name)
		require.Greater(t, len(more.Faults), len(plain.Faults), name)
		for _, f := range more.Faults {
			require.Less(t, f.At, more.Load, name)
		}
	}
	plain, same := NewPlan(7, 200, 0), NewPlan(7, 200, 0)
	same.Provoke("")
	require.Equal(t, plain, same)
}

// Enough seeds together draw every fault, every point and every script, and each plan keeps its promises.
func TestPlansCoverEverything(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	replicas := map[int]bool{}
	for seed := range int64(400) {
		p := NewPlan(seed, 200, 0)
		require.Len(t, p.Orders, 200)
		require.GreaterOrEqual(t, len(p.Faults), 7)
		replicas[p.Replicas] = true
		for _, f := range p.Faults {
			require.Less(t, f.At, p.Load, "a fault begins while there is load")
			seen[f.Name()] = true
		}
		for _, o := range p.Orders {
			if o.At >= p.Load || o.Part < 1 || o.Part >= o.Minor {
				require.Failf(t, "an order that cannot be", "%+v", o)
			}
			seen["script "+o.Script+" "+o.Outcome+" "+o.Then] = true
		}
	}
	require.Len(t, replicas, 2)
	for _, point := range Points {
		require.True(t, seen["kill_point:"+point], point)
		require.True(t, seen["pause_point:"+point], point)
	}
	for _, kind := range kinds {
		switch kind {
		case "kill_point", "pause_point": // see above
		case "account_dead":
			for _, how := range []string{deadRefused, deadVanished, deadUntrusted, deadNoName} {
				require.True(t, seen[kind+":"+how], how)
			}
		case "provider_cut", "provider_slow", "provider_torn":
			require.True(t, seen[kind+":smartcore"], kind)
			require.True(t, seen[kind+":uapay"], kind)
		default:
			require.True(t, seen[kind], kind)
		}
	}
	for _, kind := range simulatorFaults {
		require.True(t, seen["simulator:"+string(kind)], string(kind))
	}
	for _, s := range scripts {
		require.True(t, seen["script "+s.name+" success both"], s.name)
		require.True(t, seen["script "+s.name+" challenge beyond"], s.name)
	}
}

// A fault that is said to hit any provider, replica, shop or endpoint hits each of them with some seed.
func TestFaultsHitEveryTarget(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range int64(2000) {
		for _, f := range NewPlan(seed, 1, 2).Faults {
			seen[fmt.Sprint(f.Kind, " replica ", f.Replica)] = true
			seen[fmt.Sprint(f.Kind, " shop ", f.Shop)] = true
			seen[fmt.Sprint(f.Kind, " provider ", f.Simulator)] = true
			seen[fmt.Sprint(f.Kind, " ", f.How, " account ", f.Account)] = true
			if f.Kind == "simulator" {
				seen[fmt.Sprint(f.Fault.Kind, " provider ", f.Simulator)] = true
				seen[fmt.Sprint("endpoint ", f.Simulator, "/", f.Fault.Endpoint)] = true
			}
		}
		for _, f := range NewPlan(seed, 1, 1).Faults {
			require.Zero(t, f.Replica)
			seen[fmt.Sprint(f.Kind, " shop ", f.Shop, " of one replica")] = true
		}
	}
	for _, kind := range []string{"kill", "kill_point", "stop", "pause", "pause_point", "clock", "db_cut", "db_slow", "db_silent"} {
		for replica := range 2 {
			require.True(t, seen[fmt.Sprint(kind, " replica ", replica)], "%s %d", kind, replica)
		}
	}
	for _, kind := range []string{"shop_500", "shop_hang", "shop_lost"} {
		for shop := range 2 {
			require.True(t, seen[fmt.Sprint(kind, " shop ", shop)], "%s %d", kind, shop)
			require.True(t, seen[fmt.Sprint(kind, " shop ", shop, " of one replica")], "%s %d", kind, shop)
		}
	}
	for _, account := range routed() {
		require.True(t, seen["account_dead refused account "+account], account)
		require.True(t, seen["account_dead no_name account "+account], account)
	}
	require.True(t, seen["account_dead untrusted account EUR-second"])
	require.True(t, seen["account_dead untrusted account UAH-second"])
	require.False(t, seen["account_dead untrusted account EUR-sandbox"], "its host speaks no TLS")
	for _, provider := range []string{"smartcore", "uapay"} {
		for _, kind := range []string{"provider_cut", "provider_slow", "provider_torn"} {
			require.True(t, seen[kind+" provider "+provider], "%s %s", kind, provider)
		}
		for _, kind := range simulatorFaults {
			require.True(t, seen[string(kind)+" provider "+provider], "%s %s", kind, provider)
		}
		for _, endpoint := range slices.Concat(endpoints[provider], rareEndpoints[provider]) {
			require.True(t, seen["endpoint "+provider+"/"+endpoint], "%s %s", provider, endpoint)
		}
	}
}
