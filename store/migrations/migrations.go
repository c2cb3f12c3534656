// Package migrations holds the steps that bring a database to the present schema, one folder an engine. Steps only add:
// the program before this one must still run on the schema after it.
package migrations

import "embed"

// SQLite has the steps for SQLite in its folder sqlite.
//
//go:embed sqlite/*.sql
var SQLite embed.FS

// Postgres has the steps for Postgres in its folder postgres.
//
//go:embed postgres/*.sql
var Postgres embed.FS
