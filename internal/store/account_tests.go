package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

// The results of a check of an account. Only a proof is passed.
const (
	CheckPassed    = "passed"
	CheckFailed    = "failed"
	CheckNotProven = "not_proven"
)

// AccountCheck is one thing that a test of an account looked at.
type AccountCheck struct {
	Check  string `json:"check"`
	Host   string `json:"host,omitempty"` // the setting and its address
	Result string `json:"result"`
	Detail string `json:"detail"`
}

// AccountTest is what a test of an account found. It is kept in the audit log.
type AccountTest struct {
	At     time.Time      `json:"at,omitzero"`
	Passed bool           `json:"passed"`
	Staged bool           `json:"staged"` // with the staged secrets
	Checks []AccountCheck `json:"checks"`
}

// KeepAccountTest writes down what a test of an account found.
func (s *Store) KeepAccountTest(ctx context.Context, name string, t AccountTest) error {
	return s.act(ctx, "keep a test of an account", accountNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		_, err := s.lockAccount(ctx, db.New(tx), name)
		return act{action: "account test", kind: "account", object: name, after: t}, err
	})
}

// AccountTests returns the last test of each account that was tested, by name. Those with staged secrets do not count.
func (s *Store) AccountTests(ctx context.Context) (map[string]AccountTest, error) {
	var rows []db.AccountTestsRow
	err := s.read(ctx, "load the tests of accounts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.AccountTests(ctx)
		return err
	})
	tests := make(map[string]AccountTest, len(rows))
	for _, r := range rows {
		var t AccountTest
		if err := json.Unmarshal(r.After, &t); err != nil {
			return nil, err
		}
		t.At = r.At.UTC()
		tests[r.ObjectID] = t
	}
	return tests, err
}
