package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/migrations"
)

// rolePowers are what the service's role should not have, with what Postgres is asked for each. The history is judged by its
// rights, too: they may have been granted by hand.
var rolePowers = []struct{ name, question string }{
	{"superuser", "(SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"},
	{"bypass_rls", "(SELECT rolbypassrls FROM pg_roles WHERE rolname = session_user)"},
	{"owner", "EXISTS (SELECT 1 FROM pg_class WHERE oid IN (to_regclass('orders'), to_regclass('order_transitions'), to_regclass('audit_log')) AND pg_has_role(session_user, relowner, 'MEMBER'))"},
	{"history", "has_table_privilege(session_user, to_regclass('order_transitions'), 'UPDATE, DELETE, TRUNCATE, TRIGGER') OR has_table_privilege(session_user, to_regclass('audit_log'), 'UPDATE, DELETE, TRUNCATE, TRIGGER')"},
	{"configuration", "has_table_privilege(session_user, to_regclass('shop_keys'), 'INSERT, UPDATE, DELETE') OR has_table_privilege(session_user, to_regclass('accounts'), 'INSERT, UPDATE, DELETE')"},
}

// databaseRole is the role that the service has in the database, which powers it has that it does not need, and which rights it
// lacks.
type databaseRole struct {
	name   string
	powers map[string]bool
	lacks  []string
}

func roleOf(ctx context.Context, pool *pgxpool.Pool) (databaseRole, error) {
	questions := make([]string, len(rolePowers))
	answers := make([]bool, len(rolePowers))
	role := databaseRole{powers: map[string]bool{}}
	to := []any{&role.name}
	for i, p := range rolePowers {
		questions[i] = "coalesce(" + p.question + ", false)"
		to = append(to, &answers[i])
	}
	if err := pool.QueryRow(ctx, "SELECT session_user::text, "+strings.Join(questions, ", ")).Scan(to...); err != nil {
		return role, fmt.Errorf("read the rights of the database's role: %w", err)
	}
	for i, p := range rolePowers {
		role.powers[p.name] = answers[i]
	}
	var err error
	if role.lacks, err = migrations.Lacking(ctx, pool); err != nil {
		return role, fmt.Errorf("read the rights of the database's role: %w", err)
	}
	return role, nil
}

// excess names the powers that the service does not need.
func (r databaseRole) excess() (list []string) {
	for _, p := range rolePowers {
		if r.powers[p.name] {
			list = append(list, p.name)
		}
	}
	return list
}

// lack says which rights the service would miss, "" if none.
func (r databaseRole) lack() string {
	if len(r.lacks) == 0 {
		return ""
	}
	return fmt.Sprintf("the database's role %s lacks rights that the service needs (%s): connect as %s, which 'server roles sql' makes", r.name, strings.Join(r.lacks, "; "), migrations.RoleApp)
}

// complaint says what is wrong with the role's powers, "" if nothing is.
func (r databaseRole) complaint() string {
	if excess := r.excess(); len(excess) > 0 {
		return fmt.Sprintf("the database's role %s has more power than the service needs (%s): connect as %s, which 'server roles sql' makes", r.name, strings.Join(excess, ", "), migrations.RoleApp)
	}
	return ""
}

// checkRole refuses a role that lacks rights. It says whether the service may do more to the database than it needs: one warning, a
// metric, and with DATABASE_ROLE_CHECK=enforce a refusal.
func (a *app) checkRole(ctx context.Context, reg prometheus.Registerer) error {
	role, err := roleOf(ctx, a.pool)
	if err != nil {
		return err
	}
	if lack := role.lack(); lack != "" {
		return errors.New(lack)
	}
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "payrelay_database_role_power",
		Help: "1 if the service's role in the database may do what the service never needs: superuser, bypass_rls, owner (of the tables), history (change what was written down), configuration (change shops, keys and accounts).",
	}, []string{"power"})
	reg.MustRegister(g)
	for name, has := range role.powers {
		g.WithLabelValues(name).Set(map[bool]float64{true: 1}[has])
	}
	excess := role.excess()
	if len(excess) == 0 {
		return nil
	}
	if a.config.RoleCheck == "enforce" {
		return fmt.Errorf("DATABASE_ROLE_CHECK is enforce, and %s, or set the check to warn", role.complaint())
	}
	a.log.Warn().Str("role", role.name).Strs("powers", excess).Msg("the service's role in the database has more power than it needs: whoever takes over the service can change the history; 'server roles sql' makes roles that cannot")
	return nil
}
