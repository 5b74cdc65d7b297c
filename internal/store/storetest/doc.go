// Package storetest gives each test its own Postgres database with the current schema.
//
// URL and Pool clone a migrated template, which takes some tens of milliseconds; Empty gives a database without a
// schema. Databases go away with their test, tests in parallel do not see each other, and there is nothing to set up:
//
//	func TestOrders(t *testing.T) {
//		t.Parallel()
//		pool := storetest.Pool(t)
//
// The server is the one TEST_DATABASE_URL names, whose user must be allowed to create databases, reached directly and
// not through a pooler in transaction mode; else one from this machine's Postgres binaries; else one in a container
// (TEST_POSTGRES=container skips the binaries). With TEST_POOLER, a host and port, databases with a schema are reached through the
// transaction pooler there; deploy/pgbouncer/test starts one. There is one per test binary, started
// by the first test that asks and gone with the binary. Its folder is in memory, /dev/shm, if there are 2 GB of room and TMPDIR is not
// set; else it is under the temporary directory. The next run takes it up again, template included, so only the first run pays for
// making it.
//
// The template's name holds a hash of go.mod and of the folder migrations, so a change there makes a new one; several
// test binaries may share a server. Without Postgres a test fails, it is never skipped.
//
// The server does not sync to disk and a crash loses its last commits. A test of what a crash leaves behind starts its
// own with localpg. Under goleak see the note in package localpg.
package storetest
