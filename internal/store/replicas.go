package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"payrelay/internal/store/internal/db"
)

const (
	// replicaBeat is how far apart a replica says that it lives, replicaGone after which silence it is taken for gone.
	replicaBeat = 5 * time.Second
	replicaGone = 30 * time.Second
	// replicaForgotten is after which silence its row is deleted.
	replicaForgotten = 24 * time.Hour
)

// Replica is a running service.
type Replica struct {
	ID            uuid.UUID
	Host, Version string
	// Keys are the keys of the keyset that it can decrypt with, Primary the one that it encrypts with.
	Keys              []uint32
	Primary           uint32
	StartedAt, SeenAt time.Time
}

// KeepReplica says that this replica lives, and which keys it holds, until ctx is done.
func (s *Store) KeepReplica(ctx context.Context, host, version string, log zerolog.Logger) {
	p := s.replicaRow(host, version)
	tick := time.NewTicker(replicaBeat)
	defer tick.Stop()
	for {
		p.SeenAt = s.Now()
		p.Forgotten = p.SeenAt.Add(-replicaForgotten)
		if err := s.read(ctx, "say that this replica lives", func(ctx context.Context, q *db.Queries) error { return q.ReplicaSeen(ctx, p) }); err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("that this replica lives is not written down")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = s.read(context.WithoutCancel(ctx), "say that this replica ends", func(ctx context.Context, q *db.Queries) error { return q.ReplicaGone(ctx, p.ID) }) // else it is gone by its silence
			return
		}
	}
}

func (s *Store) replicaRow(host, version string) db.ReplicaSeenParams {
	p := db.ReplicaSeenParams{ID: s.NewID(), Host: text(host), Version: text(version), PrimaryKey: int64(s.Keyring.Primary()), StartedAt: s.Now(), KeyIds: []int64{}}
	for _, key := range s.Keyring.Keys() {
		if key.Enabled {
			p.KeyIds = append(p.KeyIds, int64(key.ID))
		}
	}
	return p
}

// Replicas returns the replicas that live.
func (s *Store) Replicas(ctx context.Context) ([]Replica, error) {
	var rows []db.Replica
	err := s.read(ctx, "load replicas", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.LiveReplicas(ctx, s.Now().Add(-replicaGone))
		return err
	})
	list := make([]Replica, len(rows))
	for i, r := range rows {
		list[i] = Replica{ID: r.ID, Host: r.Host, Version: r.Version, Primary: uint32(r.PrimaryKey), StartedAt: r.StartedAt.UTC(), SeenAt: r.SeenAt.UTC()} //nolint:gosec // ids of keys have 32 bits
		for _, id := range r.KeyIds {
			list[i].Keys = append(list[i].Keys, uint32(id)) //nolint:gosec // as above
		}
	}
	return list, err
}

// Holds reports whether the replica can decrypt with a key.
func (r Replica) Holds(key uint32) bool { return slices.Contains(r.Keys, key) }
