package faults

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// full is a report of a run in which everything happened.
func full() Report {
	r := Report{Scripts: map[string]int{"refund done": 1, "charge done": 1, "hosted not": 1}, Actions: map[string]int{}}
	for _, s := range scripts {
		r.Scripts[s.name+" done"]++
	}
	for _, a := range Actions {
		r.Actions[a]++
	}
	for _, kind := range kinds {
		switch kind {
		case "kill_point", "pause_point":
			kind += ":" + Points[0]
		case "provider_cut", "provider_slow", "provider_torn":
			kind += ":uapay"
		case "account_dead":
			kind += ":" + deadRefused
		}
		r.Faults = append(r.Faults, kind)
	}
	for _, kind := range simulatorFaults {
		r.Faults = append(r.Faults, "simulator:"+string(kind))
	}
	r.Planned = slices.Clone(r.Faults)
	return r
}

func TestACampaignTellsWhatNeverHappened(t *testing.T) {
	t.Parallel()
	never := func(runs int, change func(*Report)) []string {
		var c Campaign
		for range runs {
			r := full()
			change(&r)
			c.Add(r)
		}
		return c.Never()
	}
	drop := func(name string) func(*Report) {
		return func(r *Report) { r.Faults = slices.DeleteFunc(r.Faults, func(f string) bool { return f == name }) }
	}
	require.Empty(t, never(coverageRuns, func(*Report) {}))
	require.Empty(t, never(coverageRuns-1, func(r *Report) { *r = Report{} }), "too few runs to tell")
	require.NotEmpty(t, never(coverageRuns, func(r *Report) { *r = Report{} }))
	require.Equal(t, []string{"action: captured in part"}, never(coverageRuns, func(r *Report) { delete(r.Actions, "captured in part") }))
	require.Equal(t, []string{"order: refund"}, never(coverageRuns, func(r *Report) { delete(r.Scripts, "refund done") }))
	require.Equal(t, []string{"order: hosted"}, never(coverageRuns, func(r *Report) { delete(r.Scripts, "hosted done") }))
	require.Equal(t, []string{"fault: stop"}, never(coverageRuns, drop("stop")))
	require.Equal(t, []string{"fault: simulator:drop_after"}, never(coverageRuns, drop("simulator:drop_after")))
	require.Equal(t, []string{"fault: kill_point"}, never(coverageRuns, drop("kill_point:"+Points[0])))
	require.Equal(t, []string{"fault: kill_point:command-written, planned 50 times"}, never(coverageRuns, func(r *Report) { r.Planned = append(r.Planned, "kill_point:command-written") }))
	require.Empty(t, never(coverageRuns, func(r *Report) {
		if r.Actions["captured"]++; r.Planned != nil {
			r.Planned = slices.DeleteFunc(r.Planned, func(f string) bool { return f == "stop" })
		}
	}))

	var c Campaign
	c.Add(full())
	c.Add(full())
	require.Equal(t, 2, c.ActionCounts()["imported"])
	require.Equal(t, len(Actions), len(slices.Collect(maps.Keys(c.ActionCounts()))))
}
