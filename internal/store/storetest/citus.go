package storetest

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"

	"payrelay/deploy/citus"
)

// findNodes learns the other nodes of the cluster if the server is the coordinator of a Citus cluster. A database of a test is then
// one on each node.
func (s *server) findNodes(ctx context.Context) error {
	return s.admin(ctx, func(conn *pgx.Conn) error {
		var is bool
		if err := conn.QueryRow(ctx, "SELECT to_regclass('pg_dist_node') IS NOT NULL").Scan(&is); err != nil || !is {
			return err
		}
		rows, err := conn.Query(ctx, "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 ORDER BY nodeid")
		if err != nil {
			return fmt.Errorf("list the nodes of the cluster: %w", err)
		}
		var host string
		var port int
		_, err = pgx.ForEachRow(rows, []any{&host, &port}, func() error {
			s.workers = append(s.workers, node{host, port})
			return nil
		})
		return err
	})
}

// node is a worker of a Citus cluster, which admits the same user as the coordinator.
type node struct {
	host string
	port int
}

// on returns the URL of the node's database that has the name of another's.
func (n node) on(databaseURL string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("read the URL of the coordinator: %w", err)
	}
	u.Host = n.host + ":" + strconv.Itoa(n.port)
	return u.String(), nil
}

// everywhere runs f on every node, the coordinator first.
func (s *server) everywhere(ctx context.Context, databaseURL string, f func(*pgx.Conn) error) error {
	if databaseURL == s.url {
		if err := s.admin(ctx, f); err != nil {
			return err
		}
	} else if err := on(ctx, databaseURL, f); err != nil {
		return err
	}
	for _, n := range s.workers {
		u, err := n.on(databaseURL)
		if err != nil {
			return err
		}
		if err := on(ctx, u, f); err != nil {
			return err
		}
	}
	return nil
}

// joinNodes makes the databases of one name, which are empty, a Citus cluster.
func (s *server) joinNodes(ctx context.Context, databaseURL string) error {
	if len(s.workers) == 0 {
		return nil
	}
	err := s.everywhere(ctx, databaseURL, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE EXTENSION citus")
		return err
	})
	if err != nil {
		return fmt.Errorf("make the extension citus: %w", err)
	}
	return on(ctx, databaseURL, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SELECT citus_set_coordinator_host($1::text, $2::int)", conn.Config().Host, int32(conn.Config().Port)); err != nil {
			return fmt.Errorf("name the coordinator: %w", err)
		}
		for _, n := range s.workers {
			if _, err := conn.Exec(ctx, "SELECT citus_add_node($1::text, $2::int)", n.host, n.port); err != nil {
				return fmt.Errorf("add a node: %w", err)
			}
		}
		return nil
	})
}

// distribute spreads the tables of a database with the schema, if there are nodes to spread them over.
func (s *server) distribute(ctx context.Context, databaseURL string) error {
	if len(s.workers) == 0 {
		return nil
	}
	return on(ctx, databaseURL, func(conn *pgx.Conn) error {
		for _, statement := range citus.Statements() {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("distribute the tables: %w", err)
			}
		}
		return nil
	})
}
