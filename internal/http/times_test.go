package httpapi

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPeriodThatEndsBeforeItBegins(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to string
		status   int
	}{
		"a day":                        {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 200},
		"a moment":                     {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 200},
		"backwards":                    {"2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", 422},
		"backwards by a zone":          {"2026-01-01T00:00:00-01:00", "2026-01-01T00:30:00Z", 422},
		"forwards, for all its digits": {"2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00Z", 200},
	} {
		b := setup(t)
		w := b.send(t, "GET", "/v1/orders?created_from="+url.QueryEscape(test.from)+"&created_to="+url.QueryEscape(test.to), "")
		require.Equal(t, test.status, w.Code, "%s: %s", name, w.Body)
		if test.status == 422 {
			p := readProblem(t, w)
			require.Equal(t, []string{"created_from"}, p.fields(), name)
			require.Contains(t, p.Detail, "created_from must not be later than created_to")
			require.Zero(t, b.count())
		}
	}
	b := setup(t)
	p := readProblem(t, b.send(t, "POST", "/v1/statements", `{"account":"a","type":"x","status":"succeeded","from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`))
	require.Equal(t, []string{"to", "type"}, p.fields(), "all that is wrong, at once")
	p = readProblem(t, b.send(t, "POST", "/v1/statements", `{"account":"a","type":"payment","status":"succeeded","from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`))
	require.Equal(t, []string{"to"}, p.fields())
	require.Zero(t, b.count())
}

// TestAnUnescapedPlusIsNamed holds that a client that forgot to escape the plus of a zone is told so: the address says a
// space there.
func TestAnUnescapedPlusIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"created_from", "created_to"} {
		b := setup(t)
		p := readProblem(t, b.send(t, "GET", "/v1/orders?"+name+"=2026-01-01T00:00:00+02:00", ""))
		require.Equal(t, []string{name}, p.fields())
		require.Contains(t, p.Detail, "%2B")
		require.NotContains(t, p.Detail, "2026-01-01T00:00:00")
		require.Zero(t, b.count())
		require.Equal(t, 200, b.send(t, "GET", "/v1/orders?"+name+"=2026-01-01T00:00:00%2B02:00", "").Code)
	}
}

// TestOddTimes sends times that one reader of RFC 3339 takes and another does not.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	for text, status := range map[string]int{
		"2026-01-31T12:00:00Z": 200, "2026-01-31T12:00:00.123456789Z": 200, "2026-01-31T12:00:00+14:00": 200, "2026-01-31T12:00:00-00:00": 200, "2026-01-31T12:00:00+23:59": 200,
		"2026-01-31T1:00:00Z": 422, "2026-01-31T12:00:00,5Z": 422, "2026-01-31T12:00:00+24:00": 422, "2026-01-31T12:00:00+02:60": 422, "2026-01-31T12:00:60Z": 422,
		"2026-01-31T24:00:00Z": 422, "2026-01-31T12:00:00": 422, "2026-01-31": 422, "2026-01-31T12:00Z": 422, "2026-01-31T12:00:00+0200": 422, "1769860800": 422, "2026-02-30T00:00:00Z": 422,
	} {
		b := setup(t)
		w := b.send(t, "GET", "/v1/orders?created_from="+url.QueryEscape(text), "")
		require.Equal(t, status, w.Code, "%s: %s", text, w.Body)
		w = b.send(t, "POST", "/v1/payments", with("recurring", fmt.Sprintf(`{"enabled":true,"frequency_days":1,"expires_at":%q}`, text)))
		require.Equal(t, status == 200, w.Code == 201, "%s: %s", text, w.Body)
		if status == 200 {
			at, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			require.True(t, at.Equal(b.payment.Recurring.ExpiresAt))
			require.True(t, at.Equal(b.filter.CreatedFrom))
		} else {
			require.Equal(t, []string{"recurring.expires_at"}, readProblem(t, w).fields())
		}
	}
}
