package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// sqlOn runs statements past all stores.
func sqlOn(t *testing.T, url string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, text := range statements {
		if _, err := c.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// await asks until a query says true.
func await(t *testing.T, url, query string) {
	t.Helper()
	ctx := testutil.Context(t)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for ok := false; !ok; {
		if err := c.QueryRow(ctx, query).Scan(&ok); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
