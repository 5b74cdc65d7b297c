package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/seal"
)

// The tables of the configuration. Whoever changes their rows decides where money goes, so each row has a seal, which the audit log
// keeps.
const (
	tableShops          = "shops"
	tableShopKeys       = "shop_keys"
	tableWebhookSecrets = "webhook_secrets"
	tableShopRates      = "shop_rates"
	tableAccounts       = "accounts"
	tableAccountSecrets = "account_secrets"
	tableAccountShops   = "account_shops"
	tableLimits         = "limits"
	tableHolds          = "order_holds"
	tableRoutingSets    = "routing_sets"
	tableBINs           = "bin_table"
)

// configTable is such a table. A test compares the list with the schema.
type configTable struct {
	name  string
	owner string   // the shop or account that a row of t belongs to
	key   []string // what else its primary key has
	// columns are sealed: all others. An encrypted one is sealed by its plaintext, so that another key of the keyset changes no seal.
	columns   []string
	encrypted string
	// large is sealed by its digest, which the database makes.
	large string
}

var configTables = []configTable{
	{name: tableShops, owner: "t.id", columns: []string{"number", "name", "notification_url", "allow_cidrs", "site_url", "return_url", "success_url", "fail_url", "flow", "cascade", "on_surplus", "mode", "version", "created_at"}},
	{
		name: tableShopKeys, owner: "t.shop_id", key: []string{"id"},
		columns: []string{"mac", "name", "scopes", "allow_cidrs", "mode", "created_at", "expires_at", "replaced_by", "revoked_at", "revoked_by", "revoked_reason"},
	},
	{name: tableWebhookSecrets, owner: "t.shop_id", key: []string{"id"}, columns: []string{"secret", "created_at", "expires_at"}, encrypted: "secret"},
	{name: tableShopRates, owner: "t.shop_id", key: []string{"key_id", "class"}, columns: []string{"quota", "seconds"}},
	{
		name: tableAccounts, owner: "t.id", encrypted: fieldCallbackToken,
		columns: []string{"name", "provider", "currency", "purpose", "settings", "withheld", fieldCallbackToken, "callback_token_hash", "previous_token_hash", "previous_token_until", "mode", "version", "moved_at", "created_at"},
	},
	{name: tableAccountSecrets, owner: "t.account_id", key: []string{"name", "stage"}, columns: []string{"value", "since"}, encrypted: "value"},
	{name: tableAccountShops, owner: "t.account_id", key: []string{"shop_id"}, columns: []string{"priority"}},
	{name: tableLimits, owner: limitOwner, key: []string{"id"}, columns: []string{"scope", "object_id", "kind", "currency", "rule", "amount", "orders", "mode"}},
	{
		name: tableRoutingSets, owner: "coalesce(t.shop_id, '00000000-0000-0000-0000-000000000000')", key: []string{"id"},
		columns: []string{"version", "body", "checksum", "state", "author", "reason", "created_at", "activated_at"},
	},
	{name: tableBINs, owner: `'00000000-0000-0000-0000-000000000000'::uuid`, key: []string{"one_row"}, columns: []string{"version", "content", "author", "reason", "imported_at"}, large: "content"},
	{name: tableHolds, owner: "t.shop_id", key: []string{"order_id"}, columns: []string{"reason", "at"}},
}

// limitOwner is what a limit counts, or the shop of the key that it counts. Those of everything, and of nothing that exists, belong to
// nobody.
const limitOwner = `coalesce(CASE WHEN t.scope IN ('shop', 'account') AND t.object_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN t.object_id::uuid
	WHEN t.scope = 'key' THEN (SELECT k.shop_id FROM shop_keys k WHERE k.id = t.object_id) END, '00000000-0000-0000-0000-000000000000')`

// rowSeals are the seals of a shop's or account's rows in hexadecimal, by rowName. A row that cannot be decrypted has the seal "".
type rowSeals map[string]string

// rowName names a row of the configuration among those of its owner.
func rowName(table string, key ...string) string {
	return strings.Join(append([]string{table}, key...), "/")
}

// textsOf is the expression of some columns as a list of texts. The session's settings make it the same everywhere.
func textsOf(columns []string) string {
	cast := make([]string, len(columns))
	for i, c := range columns {
		cast[i] = "t." + c + "::text"
	}
	return "ARRAY[" + strings.Join(cast, ", ") + "]::text[]"
}

// texts is the expression of the columns as a list of texts.
func (c configTable) texts() string {
	list := textsOf(c.columns)
	if c.large != "" {
		list = strings.Replace(list, "t."+c.large+"::text", "sha256(t."+c.large+")::text", 1)
	}
	return list
}

// selectConfiguration reads the rows of one owner, or of all for NULL.
var selectConfiguration = func() string {
	parts := make([]string, len(configTables))
	for i, c := range configTables {
		parts[i] = fmt.Sprintf("SELECT %d AS place, %s AS owner, %s AS key, %s AS columns FROM %s t WHERE $1::uuid IS NULL OR %[2]s = $1", i, c.owner, textsOf(c.key), c.texts(), c.name)
	}
	return strings.Join(parts, " UNION ALL ")
}()

// rowsQuerier is a pool, connection or transaction.
type rowsQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// sealConfiguration makes the seals of the rows that there are: of one owner, or of all for nil.
func (s *Store) sealConfiguration(ctx context.Context, q rowsQuerier, sealer *seal.Sealer, owner *uuid.UUID) (map[uuid.UUID]rowSeals, error) {
	rows, err := q.Query(ctx, selectConfiguration, owner)
	if err != nil {
		return nil, err
	}
	all := map[uuid.UUID]rowSeals{}
	var place int
	var of uuid.UUID
	var key []string
	var columns []*string
	_, err = pgx.ForEachRow(rows, []any{&place, &of, &key, &columns}, func() error {
		if all[of] == nil {
			all[of] = rowSeals{}
		}
		t := configTables[place]
		all[of][rowName(t.name, key...)] = s.sealConfigRow(sealer, t, of, key, columns)
		return nil
	})
	return all, err
}

func (s *Store) sealConfigRow(sealer *seal.Sealer, t configTable, owner uuid.UUID, key []string, columns []*string) string {
	row := seal.Of(t.name).UUID(owner).List(key)
	for i, value := range columns {
		if t.columns[i] != t.encrypted {
			seal.Nullable(row, value, (*seal.Row).Text)
			continue
		}
		plain, err := s.openColumn(t.name, t.encrypted, append([]string{owner.String()}, key...), value)
		if err != nil {
			return ""
		}
		row.Bytes(plain)
	}
	return hex.EncodeToString(sealer.Seal(row))
}

// openColumn decrypts a column that Postgres gave as a text.
func (s *Store) openColumn(table, column string, key []string, value *string) ([]byte, error) {
	for _, c := range sealedColumns {
		if c.table != table || c.column != column || value == nil {
			continue
		}
		ciphertext, err := hex.DecodeString(strings.TrimPrefix(*value, `\x`))
		if err != nil {
			return nil, err
		}
		owner, field := c.bound(key)
		return s.open(ciphertext, owner, field)
	}
	return nil, fmt.Errorf("%s.%s is not an encrypted column", table, column)
}
