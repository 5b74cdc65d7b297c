// Package migrations holds the database's schema as goose migrations, embedded in the binary, and the means to run
// them. The job queue's tables stand in a schema of their own, river, made by River's own migrations at pinned versions.
//
// Every migration leaves a database that the release before it still runs on: expand, deploy, contract.
package migrations
