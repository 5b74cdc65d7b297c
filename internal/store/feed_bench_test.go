package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

// BenchmarkFeedSince finds a place among a million notifications of one shop, written over four months.
func BenchmarkFeedSince(b *testing.B) {
	pool, shop := storetest.Pool(b), uuid.New()
	require.NoError(b, pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), "SET LOCAL session_replication_role = replica")
		if err == nil {
			_, err = tx.Exec(context.Background(), `INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload_digest, created_at, position)
				SELECT $1, gen_random_uuid(), 2, gen_random_uuid(), 'payment.succeeded', sha256(int8send(i)), now() - interval '120 days' + i * interval '10 seconds', i FROM generate_series(1, 1000000) i`, shop)
		}
		if err == nil {
			_, err = tx.Exec(context.Background(), "INSERT INTO feed_positions (shop_id, position) VALUES ($1, 1000000)", shop)
		}
		return err
	}))
	_, err := pool.Exec(context.Background(), "VACUUM ANALYZE notifications")
	require.NoError(b, err)
	s, since := store.New(pool, store.Options{}), time.Now().Add(-50*24*time.Hour)
	for b.Loop() {
		_, err := s.FeedCursor(b.Context(), shop, since)
		require.NoError(b, err)
	}
}
