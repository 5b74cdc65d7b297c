package store_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// operatorsOnly are the statements that operators' commands run, and the service never does.
var operatorsOnly = []string{
	"AccountByName", "AddHold", "DestroyDataKeys", "ForgetConflictReasons", "RemoveHold", "CopyKeyLimits", "CopyKeyRates", "DeleteEndedWebhookSecrets", "DropReplacedSecrets",
	"EndWebhookSecrets", "InsertAccount", "InsertDemoKey", "InsertShop", "InsertShopKey", "InsertWebhookSecret",
	"KeepCurrentSecrets", "LinkAccount", "LockKey", "NarrowKey", "PromoteSecrets", "RaiseFeedEpoch", "RemoveLimit", "RemoveRate", "ReplaceKey", "ResumeShop",
	"RetireSecrets", "RevokeKey", "RewindFeeds", "RotateCallbackToken", "SetAccountMode", "SetAccountSecret", "SetKeyMode",
	"SetLimit", "SetRate", "SetReencryptionProgress", "SetShop", "SetShopMode", "SetWithheld", "SwitchOffAccount", "UnlinkAccount", "UpdateAccountSettings",
	"UpsertDemoShop", "InsertImportedOrder", "MoveAccount", "InsertRoutingSet", "ReplaceBINTable", "ActivateRoutingSet", "RetireRoutingSet",
}

// TestTheServicesRoleMayRunItsStatements has Postgres check the rights for every statement without running it.
func TestTheServicesRoleMayRunItsStatements(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	statements := generatedStatements(t)
	require.Greater(t, len(statements), 100)
	for role, expected := range map[string][]string{migrations.RoleApp: operatorsOnly, migrations.RoleOperator: nil} {
		conn, err := pgx.Connect(t.Context(), as(role))
		require.NoError(t, err)
		var refused []string
		for _, name := range slices.Sorted(maps.Keys(statements)) {
			if err := mayRun(t, conn, statements[name]); err != nil {
				require.ErrorContains(t, err, "permission denied", name)
				refused = append(refused, name)
			}
		}
		require.NoError(t, conn.Close(t.Context()))
		assert.ElementsMatch(t, expected, refused, "%s: give the role the right in migrations/roles.go, or say here that only operators' commands run it", role)
	}
}

// mayRun has Postgres plan a statement, which is when it checks rights.
func mayRun(t *testing.T, conn *pgx.Conn, sql string) error {
	t.Helper()
	if strings.Contains(sql, "LOCK TABLE") {
		_, err := conn.Exec(t.Context(), sql)
		if err != nil && strings.Contains(err.Error(), "transaction block") {
			return nil
		}
		return err
	}
	most := 0
	for _, p := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(sql, -1) {
		n, err := strconv.Atoi(p[1])
		require.NoError(t, err)
		most = max(most, n)
	}
	arguments := ""
	if most > 0 {
		arguments = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", most), ", ") + ")"
	}
	_, err := conn.Exec(t.Context(), "PREPARE checked AS "+sql)
	require.NoError(t, err, sql)
	_, err = conn.Exec(t.Context(), "EXPLAIN EXECUTE checked"+arguments)
	_, deallocate := conn.Exec(t.Context(), "DEALLOCATE checked")
	require.NoError(t, deallocate)
	return err
}

// generatedStatements are the texts of the generated statements by name.
func generatedStatements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("internal/db/*.sql.gen.go")
	require.NoError(t, err)
	all := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			constants, ok := d.(*ast.GenDecl)
			if !ok || constants.Tok != token.CONST {
				continue
			}
			for _, s := range constants.Specs {
				v := s.(*ast.ValueSpec) //nolint:forcetypeassert // of constants
				literal, ok := v.Values[0].(*ast.BasicLit)
				require.True(t, ok, fmt.Sprint(v.Names[0]))
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				all[v.Names[0].Name] = text
			}
		}
	}
	return all
}
