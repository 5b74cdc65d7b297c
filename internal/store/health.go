package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// healthPause is how far apart the counts are written down, and what all replicas counted is read.
const healthPause = 10 * time.Second

// health counts what comes of the calls of accounts, until it is written down, and knows which accounts are demoted.
type health struct {
	mu     sync.Mutex
	counts map[uuid.UUID]payment.HealthMinute
	known  atomic.Pointer[map[uuid.UUID]AccountHealth] // of accounts that were demoted once
}

func (h *health) isDemoted(account uuid.UUID) bool {
	known := h.known.Load()
	return known != nil && (*known)[account].Demoted
}

func (h *health) add(account uuid.UUID, more payment.HealthMinute) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counts == nil {
		h.counts = map[uuid.UUID]payment.HealthMinute{}
	}
	h.counts[account] = h.counts[account].Plus(more)
}

// take returns what was counted since the last time.
func (h *health) take() map[uuid.UUID]payment.HealthMinute {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := h.counts
	h.counts = nil
	return counts
}

// CountCall is payment.Config.Called.
func (s *Store) CountCall(account uuid.UUID, outcome payment.CallOutcome) {
	var one payment.HealthMinute
	switch outcome {
	case payment.CallAnswered:
		one.Answered = 1
	case payment.CallNotSent:
		one.NotSent = 1
	case payment.CallUnknown:
		one.Unknown = 1
	}
	s.health.add(account, one)
}

// KeepHealth writes down and judges how accounts do until ctx is done, and then once more. A failure costs a few seconds of counts
// at most: accounts stay as they are.
func (s *Store) KeepHealth(ctx context.Context, log zerolog.Logger) {
	tick := time.NewTicker(healthPause)
	defer tick.Stop()
	for ended := false; !ended; {
		changes, err := s.JudgeHealth(context.WithoutCancel(ctx))
		if err != nil {
			log.Warn().Err(err).Msg("how accounts do could not be judged; none is demoted or restored meanwhile")
		}
		for _, c := range changes {
			c.log(log)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
	}
	if err := s.writeHealth(context.WithoutCancel(ctx)); err != nil {
		log.Warn().Err(err).Msg("how accounts did in the last seconds is not written down")
	}
}

// EndDemotions restores every account, because none is demoted any more: what was judged before would be shown as if it held.
func (s *Store) EndDemotions(ctx context.Context, log zerolog.Logger) {
	known, err := s.AccountsHealth(ctx)
	if err != nil {
		log.Warn().Err(err).Msg("demotions are switched off, and which accounts were demoted could not be read; commands show these as unhealthy until the next start")
		return
	}
	for id, h := range known {
		if !h.Demoted {
			continue
		}
		restored := AccountHealth{h.Account, payment.Health{ChangedAt: s.Now()}}
		err := s.read(ctx, "restore an account", func(ctx context.Context, q *db.Queries) error {
			_, err := q.ChangeDemotion(ctx, db.ChangeDemotionParams{AccountID: id, ChangedAt: restored.ChangedAt, Before: h.ChangedAt})
			return err
		})
		if err != nil {
			log.Warn().Err(err).Str("account", h.Account).Msg("demotions are switched off, and the account could not be restored; commands show it as unhealthy until the next start")
			continue
		}
		restored.log(log)
	}
}

// AccountHealth is how an account does that was demoted once.
type AccountHealth struct {
	Account string
	payment.Health
}

func (h AccountHealth) log(log zerolog.Logger) {
	line, text := log.Warn(), "an account was demoted: too many of its calls fail, so orders that name no account go to it last"
	if !h.Demoted {
		line, text = log.Info(), "an account was restored: orders go to it as before"
	}
	line.Str("account", h.Account).Int64("calls", h.Calls).Int64("failed", h.Failed).Msg(text)
}

// JudgeHealth writes down what this replica counted, and judges each account by what all replicas did. It returns the changes that
// this replica made.
func (s *Store) JudgeHealth(ctx context.Context) (changes []AccountHealth, err error) {
	if err := s.writeHealth(ctx); err != nil {
		return nil, err
	}
	known, err := s.AccountsHealth(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := s.changeDemotions(ctx, known)
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		if known, err = s.AccountsHealth(ctx); err != nil {
			return nil, err
		}
	}
	s.health.known.Store(&known)
	for _, id := range changed {
		changes = append(changes, known[id])
	}
	return changes, nil
}

// LoadHealth reads which accounts are demoted, for a command that asks once.
func (s *Store) LoadHealth(ctx context.Context) error {
	known, err := s.AccountsHealth(ctx)
	if err == nil {
		s.health.known.Store(&known)
	}
	return err
}

// writeHealth writes down what was counted since the last time. What cannot be written is lost: it says how things were.
func (s *Store) writeHealth(ctx context.Context) error {
	counts := s.health.take()
	if len(counts) == 0 {
		return nil
	}
	now := s.Now()
	p := db.AddAccountHealthParams{Minute: now.Truncate(time.Minute), Forgotten: now.Add(-payment.HealthKept)}
	for id, c := range counts {
		p.Accounts = append(p.Accounts, id)
		p.Answered, p.NotSent, p.Unknown = append(p.Answered, c.Answered), append(p.NotSent, c.NotSent), append(p.Unknown, c.Unknown)
	}
	return s.read(ctx, "write down how accounts do", func(ctx context.Context, q *db.Queries) error { return q.AddAccountHealth(ctx, p) })
}

// AccountsHealth returns how the accounts do that were demoted once, by id.
func (s *Store) AccountsHealth(ctx context.Context) (map[uuid.UUID]AccountHealth, error) {
	known := map[uuid.UUID]AccountHealth{}
	err := s.read(ctx, "load how accounts do", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.AccountDemotions(ctx)
		for _, r := range rows {
			known[r.AccountID] = AccountHealth{r.Name, payment.Health{Demoted: r.Demoted, ChangedAt: r.ChangedAt.UTC(), Calls: r.Calls, Failed: r.Failed}}
		}
		return err
	})
	return known, err
}

// changeDemotions demotes and restores accounts. It returns those that this replica changed: of several only one does.
func (s *Store) changeDemotions(ctx context.Context, known map[uuid.UUID]AccountHealth) (changed []uuid.UUID, err error) {
	now := s.Now()
	err = s.read(ctx, "judge how accounts do", func(ctx context.Context, q *db.Queries) error {
		changed = nil
		minutes, err := healthMinutes(ctx, q, known, now)
		if err != nil {
			return err
		}
		for id, list := range minutes {
			next, judged := known[id].Judge(list, now)
			if !judged {
				continue
			}
			n, err := q.ChangeDemotion(ctx, db.ChangeDemotionParams{
				AccountID: id, Demoted: next.Demoted, ChangedAt: next.ChangedAt, Calls: next.Calls, Failed: next.Failed, Before: known[id].ChangedAt,
			})
			if err != nil {
				return err
			}
			if n > 0 {
				changed = append(changed, id)
			}
		}
		return nil
	})
	return changed, err
}

// healthMinutes are the minutes that accounts are judged by, also of those that were demoted and are called no more.
func healthMinutes(ctx context.Context, q *db.Queries, known map[uuid.UUID]AccountHealth, now time.Time) (map[uuid.UUID][]payment.HealthMinute, error) {
	minutes := map[uuid.UUID][]payment.HealthMinute{}
	for id, h := range known {
		if h.Demoted {
			minutes[id] = nil
		}
	}
	rows, err := q.AccountHealthMinutes(ctx, db.AccountHealthMinutesParams{Recent: now.Add(-payment.HealthWindow).Truncate(time.Minute), Oldest: now.Add(-payment.HealthKept)})
	for _, r := range rows {
		minutes[r.AccountID] = append(minutes[r.AccountID], payment.HealthMinute{At: r.Minute.UTC(), Answered: r.Answered, NotSent: r.NotSent, Unknown: r.Unknown})
	}
	return minutes, err
}

// HealthCollector tells Prometheus which accounts are demoted, as far as this replica knows.
func (s *Store) HealthCollector() prometheus.Collector {
	return &healthCollector{s, prometheus.NewDesc("payrelay_account_demoted", "1 if too many of an account's calls fail, so that orders which name no account go to it last.", []string{"account"}, nil)}
}

type healthCollector struct {
	store   *Store
	demoted *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *healthCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.demoted }

// Collect implements prometheus.Collector.
func (c *healthCollector) Collect(ch chan<- prometheus.Metric) {
	e := c.store.directory.current.Load()
	if e == nil {
		return
	}
	for id, a := range e.accounts {
		value := 0.0
		if c.store.health.isDemoted(id) {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(c.demoted, prometheus.GaugeValue, value, a.Name)
	}
}
