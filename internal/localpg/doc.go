// Package localpg gives the program a real Postgres without anybody setting one up: for `server dev` and for tests.
//
// Start looks in this order and takes the first that works: the URL it is given; server binaries on this machine, those in the
// folder POSTGRES_BIN and no others if it is set; a container, if a Docker daemon answers within two seconds; binaries fetched
// through embedded-postgres. When nothing works the error is one sentence that says what to install.
//
// A server started from binaries
//   - is a child of this program and ends with it, SIGKILL included (on Linux by the parent death signal; elsewhere an
//     orphan is ended by the next Start on its directory);
//   - listens on 127.0.0.1 only, on a free port, has no unix socket, and lets nobody in without the random password
//     kept beside the data;
//   - keeps its data between runs unless Fresh is asked for;
//   - never runs as root: a program run by root starts it as postgres, nobody, or uid 65534;
//   - refuses a second program on the same directory with ErrInUse;
//   - writes its log to postgres.log in the directory, without statements, parameters or row contents.
//
// A container that a killed program left behind is replaced by the next Start on its directory; its data stays in a volume.
//
// The directory belongs to this package:
//
//	lock            held by the program that uses the directory; names it and its Postgres
//	postgres.log    the server's output
//	cluster/        password, data (PGDATA), boot; made aside as cluster.new and renamed, so it is whole or absent
//
// It is for development and tests; production connects to a Postgres somebody runs.
//
// Under goleak, ignore payrelay/internal/localpg.(*process).hold: that goroutine lives as long as the server.
package localpg
