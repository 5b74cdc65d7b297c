package pgsession_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/pgsession"
	"payrelay/internal/store/storetest"
)

// carried are what PgBouncer of any version takes and carries along in transaction mode.
var carried = []string{"client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings"}

// odd is a database whose sessions begin with other settings than payrelay works with.
func odd(t *testing.T, settings ...string) string {
	t.Helper()
	address := storetest.URL(t)
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, s := range settings {
		_, err = conn.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET %s", pgx.Identifier{conn.Config().Database}.Sanitize(), s))
		require.NoError(t, err)
	}
	return address
}

func connect(t *testing.T, address string, pooled bool) (*pgx.Conn, error) {
	t.Helper()
	conf, err := pgx.ParseConfig(address)
	require.NoError(t, err)
	pgsession.Configure(conf, pooled)
	conn, err := pgx.ConnectConfig(t.Context(), conf)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn, pgsession.Check(t.Context(), conn)
}

func with(t *testing.T, address string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	query := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func TestWhatAPoolerCarriesIsSetWhateverTheDatabaseSays(t *testing.T) {
	t.Parallel()
	address := odd(t, "datestyle = 'German, DMY'", "timezone = 'Europe/Kyiv'", "client_encoding = 'WIN1251'", "standard_conforming_strings = off")
	conn, err := connect(t, with(t, address, "datestyle", "SQL, MDY", "default_query_exec_mode", "exec"), true)
	require.NoError(t, err)
	for name, want := range map[string]string{"datestyle": "ISO, MDY", "timezone": "UTC", "client_encoding": "UTF8", "standard_conforming_strings": "on"} {
		got := ""
		require.NoError(t, conn.QueryRow(t.Context(), "SHOW "+name).Scan(&got))
		require.Equal(t, want, got, name)
	}
}

func TestWithoutAPoolerEverythingIsSet(t *testing.T) {
	t.Parallel()
	address := odd(t, "datestyle = 'SQL'", "intervalstyle = 'iso_8601'", "bytea_output = 'escape'", "extra_float_digits = 0", "array_nulls = off")
	conn, err := connect(t, with(t, address, "INTERVALSTYLE", "sql_standard"), false)
	require.NoError(t, err)
	require.Equal(t, "postgres", conn.Config().RuntimeParams["IntervalStyle"])
}

func TestBehindAPoolerAnotherSettingIsRefusedByName(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"IntervalStyle": "iso_8601", "bytea_output": "escape", "extra_float_digits": "-1", "array_nulls": "off"} {
		_, err := connect(t, odd(t, fmt.Sprintf("%s = '%s'", name, value)), true)
		require.ErrorContains(t, err, "session's "+name+" is", name)
		require.ErrorContains(t, err, "ALTER ROLE", "it says what to do")
	}
	_, err := connect(t, odd(t, "extra_float_digits = 3"), true)
	require.NoError(t, err, "as exact as what is asked for")
	_, err = connect(t, odd(t, "search_path = 'nowhere'"), true)
	require.ErrorContains(t, err, "search_path")
}

func TestACommitThatACrashCanTakeBackIsRefused(t *testing.T) {
	t.Parallel()
	for _, pooled := range []bool{false, true} {
		_, err := connect(t, odd(t, "synchronous_commit = off"), pooled)
		require.ErrorContains(t, err, "session's synchronous_commit is \"off\"")
		require.ErrorContains(t, err, "SET synchronous_commit = 'on'", "it says what to do")
		for _, value := range []string{"on", "local", "remote_write", "remote_apply"} {
			conn, err := connect(t, odd(t, "synchronous_commit = "+value), pooled)
			require.NoError(t, err, value)
			got := ""
			require.NoError(t, conn.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&got))
			require.Equal(t, value, got, "what waits for more than the disk is kept")
		}
	}
}

func TestAPoolerIsAskedForNothingThatItRefuses(t *testing.T) {
	t.Parallel()
	conf, err := pgx.ParseConfig("postgres://u@127.0.0.1/d?bytea_output=escape&default_query_exec_mode=exec")
	require.NoError(t, err)
	require.True(t, pgsession.Pooled(conf))
	pgsession.Configure(conf, true)
	var names []string
	for name := range conf.RuntimeParams {
		names = append(names, name)
	}
	require.ElementsMatch(t, carried, names)
}

func TestTablesElsewhereAreNoticed(t *testing.T) {
	t.Parallel()
	conn, err := connect(t, odd(t, "search_path = 'information_schema'"), true)
	require.NoError(t, err)
	err = pgsession.Finds(t.Context(), conn, "orders")
	require.ErrorContains(t, err, "search_path")
	require.True(t, strings.Contains(err.Error(), "information_schema"))
	conn, err = connect(t, storetest.URL(t), true)
	require.NoError(t, err)
	require.NoError(t, pgsession.Finds(t.Context(), conn, "orders"))
}
