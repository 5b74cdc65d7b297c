package pgsession_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/pgsession"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	const open = pgsession.Link("")
	for address, want := range map[string]pgsession.Link{
		"postgres:///pay?host=/run/postgresql":                                pgsession.LinkLocal,
		"postgres://localhost/pay":                                            pgsession.LinkLocal,
		"postgres://127.0.0.1:5432/pay?sslmode=disable":                       pgsession.LinkLocal,
		"postgres://[::1]/pay?sslmode=prefer":                                 pgsession.LinkLocal,
		"postgres://db.example.com/pay":                                       open,
		"postgres://db.example.com/pay?sslmode=prefer":                        open,
		"postgres://db.example.com/pay?sslmode=allow":                         open,
		"postgres://db.example.com/pay?sslmode=require":                       pgsession.LinkEncrypted,
		"postgres://db.example.com/pay?sslmode=verify-ca":                     pgsession.LinkVerified,
		"postgres://db.example.com/pay?sslmode=verify-full":                   pgsession.LinkVerified,
		"postgres://db.example.com/pay?sslmode=disable":                       pgsession.LinkPlain,
		"postgres://10.1.2.3/pay":                                             open,
		"postgres://localhost,db.example.com/pay":                             open,
		"postgres://localhost,db.example.com/pay?sslmode=disable":             pgsession.LinkPlain,
		"postgres://a.example.com,b.example.com/pay?sslmode=verify-full":      pgsession.LinkVerified,
		"postgres://127.0.0.1.example.com/pay?sslmode=disable":                pgsession.LinkPlain,
		"postgres://db.example.com/pay?sslmode=require&sslnegotiation=direct": pgsession.LinkEncrypted,
	} {
		conf, err := pgx.ParseConfig(address)
		require.NoError(t, err, address)
		link, err := pgsession.LinkOf(conf)
		require.Equal(t, want, link, address)
		require.Equal(t, want == open, err != nil, address)
		if err != nil {
			require.ErrorContains(t, err, "sslmode=verify-full", address)
		}
	}
}
