package app

import (
	"bytes"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// addOldAnswer stores an answer that is eight days old.
func (b *operated) addOldAnswer(t *testing.T) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "INSERT INTO idempotency_keys (shop_id, key, request_hash, locked_until, created_at) SELECT id, 'old', '', now(), now() - interval '8 days' FROM shops")
	require.NoError(t, err)
}

func TestRetentionIsCountedAndRun(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.addOldAnswer(t)
	before, entries := b.contents(t), len(b.audit(t))
	out := b.command(t, "retention", "run", "--dry-run")
	require.Regexp(t, `(?m)^TABLE +WOULD BE REMOVED +DROPPED MONTHS$`, out)
	require.Regexp(t, `(?m)^idempotency_keys +1 `, out)
	require.Equal(t, before, b.contents(t))
	require.Len(t, b.audit(t), entries)

	out = b.command(t, "retention", "run", "--reason", "the disk is full")
	require.Regexp(t, `(?m)^idempotency_keys +1 `, out)
	audit := b.audit(t)
	require.Len(t, audit, entries+1)
	require.JSONEq(t, `{"idempotency_keys": 1}`, string(audit[entries].After))
	require.Equal(t, "the disk is full", audit[entries].Reason)

	for value, problem := range map[string]string{"6": "RETENTION_ANSWERS must be from 7 to 36500", "a week": "RETENTION_ANSWERS is not a valid"} {
		var errs bytes.Buffer
		code := Execute(t.Context(), []string{"retention", "run"}, &Streams{Out: &errs, Err: &errs, Environ: append([]string{"RETENTION_ANSWERS=" + value}, b.environ...)})
		require.Equal(t, 1, code)
		require.Contains(t, errs.String(), problem)
	}
	require.Len(t, b.audit(t), entries+1)
}

func TestServiceRemovesWhatIsOldOnceADay(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	settings, err := loadRetention(nil)
	require.NoError(t, err)
	require.True(t, settings.RetentionOn)
	r := newRetainer(b.store, settings, prometheus.NewRegistry())
	b.addOldAnswer(t)
	require.NoError(t, r.run(t.Context()))
	require.Zero(t, testutil.ToFloat64(r.rows.WithLabelValues("idempotency_keys")), "not due yet")
	exec := func(sql string) {
		t.Helper()
		_, err := b.pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	const due = "UPDATE retention SET last_run_at = now() - interval '23 hours'"
	exec(due + ", leased_until = now() + interval '1 minute'")
	require.NoError(t, r.run(t.Context()), "another replica does it")
	exec(due + ", leased_until = 'epoch'")
	require.NoError(t, r.run(t.Context()))
	require.InEpsilon(t, 1, testutil.ToFloat64(r.rows.WithLabelValues("idempotency_keys")), 0)
	require.Zero(t, testutil.ToFloat64(r.failures))

	exec(due)
	exec("ALTER TABLE callback_keys RENAME TO gone")
	b.addOldAnswer(t)
	require.Error(t, r.run(t.Context()))
	require.InEpsilon(t, 1, testutil.ToFloat64(r.failures), 0)
	require.InEpsilon(t, 2, testutil.ToFloat64(r.rows.WithLabelValues("idempotency_keys")), 0, "the other tables are gone on with")
	at, err := b.store.LastRemoval(t.Context())
	require.NoError(t, err)
	require.Greater(t, time.Since(at), 22*time.Hour, "a run that failed in part is due again at once")
}
