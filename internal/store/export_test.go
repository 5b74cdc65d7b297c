package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
)

// ExpireDirectory is for tests that change its tables by hand and cannot wait until it is compared again.
func (s *Store) ExpireDirectory() { s.directory.expire() }

// AgeDirectory makes the directory seem as if it was compared so long ago.
func (s *Store) AgeDirectory(by time.Duration) {
	aged := *s.directory.current.Load()
	aged.comparedAt = aged.comparedAt.Add(-by)
	s.directory.current.Store(&aged)
}

// Comparisons is how often the directory was compared with the database.
func (s *Store) Comparisons() int64 { return s.directory.comparisons.Load() }

// Batches is how many batches of writes were begun, Waiting how many writes wait for one.
func (s *Store) Batches() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return s.committer.batches
}

func (s *Store) Waiting() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return len(s.committer.waiting)
}

// Alone is how many batches failed, so that their writes went alone.
func (s *Store) Alone() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return s.committer.broken
}

// SearchSQL is the question that a filter is answered by.
func SearchSQL(f payment.Filter) (string, pgx.NamedArgs, error) { return search(f, pageSize(f.Limit)) }

// SealedPlaces lists the encrypted columns.
func SealedPlaces() []string {
	places := make([]string, len(sealedColumns))
	for i, c := range sealedColumns {
		places[i] = c.place()
	}
	return places
}
