package benchmark

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// Figures are what was measured, in the order in which it was first.
type Figures struct {
	All []*Figure `json:"figures"`
}

// Figure is one of them, with a value for each round.
type Figure struct {
	Group  string    `json:"group"`
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Rounds []float64 `json:"rounds"`
}

func (f *Figures) find(group, name string) *Figure {
	i := slices.IndexFunc(f.All, func(x *Figure) bool { return x.Group == group && x.Name == name })
	if i < 0 {
		return nil
	}
	return f.All[i]
}

func (f *Figures) add(group, name, unit string, v float64) {
	x := f.find(group, name)
	if x == nil {
		x = &Figure{Group: group, Name: name, Unit: unit}
		f.All = append(f.All, x)
	}
	x.Rounds = append(x.Rounds, v)
}

// last is the value of the last round, 0 without one.
func (f *Figures) last(group, name string) float64 {
	x := f.find(group, name)
	if x == nil {
		return 0
	}
	return x.Rounds[len(x.Rounds)-1]
}

// Median is the middle one of the rounds.
func (x *Figure) Median() float64 {
	sorted := slices.Sorted(slices.Values(x.Rounds))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Print writes a table: each figure's median, and its least and greatest value.
func (f *Figures) Print(w io.Writer) error {
	groups := []string{"R1", "R2", "R3", "R4", "R6", "cost"}
	sorted := slices.Clone(f.All)
	slices.SortStableFunc(sorted, func(a, b *Figure) int { return slices.Index(groups, a.Group) - slices.Index(groups, b.Group) })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tfigure\tmedian\tleast\tgreatest\tunit")
	for _, x := range sorted {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Group, x.Name, digits(x.Median()), digits(slices.Min(x.Rounds)), digits(slices.Max(x.Rounds)), x.Unit)
	}
	return t.Flush()
}

// digits writes a number with three digits that count.
func digits(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// seconds is a whole number of seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(d.Round(time.Second).Seconds())))
}

func percent(part, whole float64) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * part / whole
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}
