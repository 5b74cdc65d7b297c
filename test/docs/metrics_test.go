package docs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	metricInText   = regexp.MustCompile(`\bpayrelay_[a-z0-9_]*[a-z0-9]\b`)
	metricInCode   = regexp.MustCompile(`"(payrelay_[a-z0-9_]+)"`)
	metricOfGauges = regexp.MustCompile(`\bdesc\("([a-z0-9_]+)"`)
	labelsInQuery  = regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	partOfMetric   = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// promLabels are the labels that Prometheus adds.
var promLabels = []string{"instance", "job", "le"}

// TestBoardAndAlertsAskForWhatThereIs holds the queries of the Grafana board and of the alerts to the metrics in the code, and to their
// labels.
func TestBoardAndAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	metrics, code := map[string]bool{}, ""
	for _, name := range files(t, ".go") {
		if strings.HasPrefix(name, "internal/") && !strings.HasSuffix(name, "_test.go") {
			text := read(t, name)
			code += text
			for _, m := range metricInCode.FindAllStringSubmatch(text, -1) {
				metrics[m[1]] = true
			}
			for _, m := range metricOfGauges.FindAllStringSubmatch(text, -1) {
				metrics["payrelay_"+m[1]] = true
			}
		}
	}
	asked := 0
	for name, text := range queries(t) {
		for _, metric := range metricInText.FindAllString(text, -1) {
			asked++
			require.True(t, metrics[metric] || metrics[partOfMetric.ReplaceAllString(metric, "")], "%s asks for %s, which no code makes", name, metric)
		}
		for _, by := range labelsInQuery.FindAllStringSubmatch(text, -1) {
			for label := range strings.SplitSeq(by[1], ", ") {
				known := strings.Contains(code, `"`+label+`"`)
				for _, own := range promLabels {
					known = known || own == label
				}
				require.True(t, known, "%s divides by %s, which no metric has", name, label)
			}
		}
	}
	require.Greater(t, asked, 50)
}

// queries are the queries of the board by panel, and the files with rules.
func queries(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy/grafana/dashboards/payrelay.json")), &board))
	found := map[string]string{"deploy/prometheus/rules/payrelay.yml": read(t, "deploy/prometheus/rules/payrelay.yml")}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			found[p.Title] += target.Expr + "\n"
		}
	}
	return found
}
