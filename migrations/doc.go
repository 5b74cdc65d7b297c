// Package migrations holds the database's schema as goose migrations, embedded in the binary, and the means to run
// them. 00001_schema.sql is the whole schema, in reading order.
//
// Until the first release the schema is edited in place, and a database of an older layout is recognized (ErrOldLayout). From
// then on every migration leaves a database that the release before it still runs on: expand, deploy, contract.
package migrations
