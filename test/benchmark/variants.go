package benchmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// compare measures what a life costs with one variant after the other, in the other direction each round. Only one service runs at a time.
func (b *measurement) compare(ctx context.Context) error {
	for _, v := range b.variants {
		b.service, b.counted, b.variant = v.service, v.conn, v.name
		if err := v.service.start(ctx); err != nil {
			return err
		}
		var failed error
		for _, clients := range b.Clients {
			result, perSecond, err := b.runLives(ctx, clients)
			if failed = errors.Join(failed, err); err != nil {
				break
			}
			b.figures.add("R1", b.named("lives", clients), "/s", perSecond)
			b.figures.add("R1", b.named("create, p99", clients), "ms", milliseconds(quantile(result.Took, 0.99)))
		}
		v.service.stop()
		if b.RequestLog {
			failed = errors.Join(failed, b.countRequests(ctx))
		}
		if failed != nil {
			return failed
		}
	}
	slices.Reverse(b.variants)
	if b.RequestLog {
		b.requestLogRatios()
	}
	return nil
}

// The variants of a request log.
const withoutLog, withLog = ", no request log", ", request log"

// buildRequestLog makes a service with a request log and one without, on the same database. A life has one request of a shop.
func (b *measurement) buildRequestLog(ctx context.Context) error {
	s, err := newService(ctx, b.Server, b.Dir, b.db.service, b.provider, b.shop)
	if err != nil {
		return err
	}
	logged := *s
	logged.environ = append(slices.Clone(s.environ), "REQUEST_LOG=true")
	b.variants = []*variant{{withoutLog, s, b.db.conn}, {withLog, &logged, b.db.conn}}
	b.closers = append(b.closers, s.stop, logged.stop)
	return nil
}

// countRequests counts what the log has kept in all by now, to show that there was one, and that without it there was none.
func (b *measurement) countRequests(ctx context.Context) error {
	var kept float64
	if err := b.counted.QueryRow(ctx, "SELECT count(*) FROM request_log").Scan(&kept); err != nil {
		return fmt.Errorf("count the log's requests: %w", err)
	}
	b.figures.add("cost", "requests kept by now"+b.variant, "", kept)
	return nil
}

// requestLogRatios compares the two of a round.
func (b *measurement) requestLogRatios() {
	for _, clients := range b.Clients {
		for _, cost := range []string{"server", "Postgres", "WAL", "WAL syncs", "transactions"} {
			value := func(variant string) float64 {
				b.variant = variant
				return b.figures.last("cost", b.named(cost, clients))
			}
			if without := value(withoutLog); without > 0 {
				ratio := value(withLog) / without
				b.variant = ", with a request log ÷ without"
				b.figures.add("cost", b.named(cost, clients), "", ratio)
			}
		}
	}
}
