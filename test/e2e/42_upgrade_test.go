//go:build drill

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// What a later version may do to the schema while the one before runs. As long as there is one released version only, and no migration
// after it, this one makes the upgrade more than a restart.
const expands = `ALTER TABLE orders ADD COLUMN upgrade_note text, ADD COLUMN upgrade_rank integer NOT NULL DEFAULT 0;
	ALTER TABLE orders ADD CONSTRAINT orders_upgrade_rank CHECK (upgrade_rank >= 0) NOT VALID;
	ALTER TABLE orders VALIDATE CONSTRAINT orders_upgrade_rank;
	CREATE TABLE upgrade_notes (id bigint PRIMARY KEY)`

// A database of the last release is upgraded under load: migrated by the new build while the old one runs on it, then replica by replica.
// No request is refused, every order ends, also those that were in the middle, and nothing looks changed past payrelay.
func TestAnUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	d := newUpgrade(t)
	held := d.pays("held", `"capture":"manual"`, "authorized")
	paid := d.pays("paid", "", "succeeded")
	open := d.load.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"open","amount":1000,"currency":"EUR","description":"Socks",%s}`, customer), "open")
	require.Equal(t, "requires_action", open.Status)

	d.load.begin()
	d.step("the old version", func() uint32 { return 0 })
	d.step("the new version's migrations", func() uint32 {
		d.operator("migrate", "up")
		d.sql(expands)
		d.orders(40) // the old version on the new schema
		return 0
	})
	for _, r := range d.replicas {
		d.step("a replica of the new version", func() uint32 {
			r.program = os.Args[0]
			r.restart(d.keyset)
			return 0
		})
	}
	d.load.call(http.MethodPost, "/v1/payments/"+held+"/capture", `{}`, "capture")
	d.load.call(http.MethodPost, "/v1/payments/"+paid+"/refunds", `{"reference":"back","reason":"Too small"}`, "back")
	d.becomes(held, "succeeded")
	d.becomes(open.ID, "requires_action")
	eventually(t, func() bool { return d.load.call(http.MethodGet, "/v1/orders/"+paid, "", "").AmountRefunded == 1000 })
	d.orders(20)
	d.load.end()
	d.everythingArrived()
	t.Log(d.operator("audit", "verify"))
}

// The test above can fail: a migration on which the old version cannot run refuses its requests.
func TestAnUpgradeThatTheOldVersionCannotRunOnIsFound(t *testing.T) {
	t.Parallel()
	d := newUpgrade(t)
	d.load.begin()
	d.orders(10)
	d.sql("ALTER TABLE orders RENAME COLUMN description TO text")
	require.Eventually(t, func() bool {
		d.load.mu.Lock()
		defer d.load.mu.Unlock()
		return len(d.load.refused) > 0
	}, waitTimeout, 10*time.Millisecond)
}

// newUpgrade starts two replicas of the old version, UPGRADE_FROM or else this one, on a database that was restored from the schema that is
// kept of the last release.
func newUpgrade(t *testing.T) *drill {
	kept, err := filepath.Glob("../../migrations/released/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, kept)
	path := filepath.Join("../../migrations/released", cmp.Or(os.Getenv("UPGRADE_VERSION"), strings.TrimSuffix(filepath.Base(kept[len(kept)-1]), ".sql"))+".sql")
	schema, err := os.ReadFile(path) //nolint:gosec // of this repository
	require.NoError(t, err)
	url, old := storetest.Empty(t), cmp.Or(os.Getenv("UPGRADE_FROM"), os.Args[0])
	(&drill{t: t, databaseURL: url}).sql(string(schema))
	migrate := startProgram(t, old, []string{"DATABASE_URL=" + url}, "migrate", "up")
	require.NoError(t, migrate.cmd.Wait(), "%s", migrate.cmd.Stderr)
	t.Logf("from %s, by %s", path, old)
	return newDrill(t, url, old)
}

func (d *drill) sql(text string) {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.databaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(context.Background(), text)
	require.NoError(d.t, err)
}

// pays makes a payment and waits until it has a status.
func (d *drill) pays(reference, more, status string) (id string) {
	d.t.Helper()
	made := d.load.call(http.MethodPost, "/v1/payments", direct(reference, 1000, cardMethod(cardSuccess), more), reference)
	require.NotEmpty(d.t, made.ID, "%s", d.load.refused)
	d.becomes(made.ID, status)
	return made.ID
}

func (d *drill) becomes(id, status string) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return d.load.call(http.MethodGet, "/v1/orders/"+id, "", "").Status == status }, waitTimeout, 50*time.Millisecond,
		"%s of %s", status, id)
}
