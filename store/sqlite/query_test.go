package sqlite_test

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3/driver"
)

// statements are the constants of store/query.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../query/*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				out[spec.Names[0].Name], err = strconv.Unquote(lit.Value)
			}
			return err == nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 30 {
		t.Fatalf("got %d statements, want those of store/query", len(out))
	}
	return out
}

func database(t *testing.T) *sql.DB {
	t.Helper()
	o := path(t.TempDir())
	open(t, o)
	db, err := driver.Open(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// SQLite numbers $n by where each first stands (sqlite.org/lang_expr.html#varparam), Postgres by n: they agree only in order.
func TestStatementsRunOnSQLite(t *testing.T) {
	db := database(t)
	for name, text := range statements(t) {
		next := 1
		for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(text, -1) {
			switch n, _ := strconv.Atoi(m[1]); {
			case n == next:
				next++
			case n > next:
				t.Errorf("%s: $%d comes before $%d", name, n, next)
			}
		}
		st, err := db.Prepare(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		st.Close()
	}
}

// ownColumns are SQLite's alone: the statements that both engines share do not name them.
var ownColumns = []string{"budget last TEXT", "reservation prev TEXT"}

// What sqlc read must be what is there.
func TestSchemasAgree(t *testing.T) {
	db := database(t)
	text, err := os.ReadFile("../queries/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	same := strings.NewReplacer("BIGINT", "INTEGER", "BYTEA", "BLOB")
	tables := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`).FindAllStringSubmatch(string(text), -1)
	var there int
	if err := db.QueryRow(`SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`).Scan(&there); err != nil {
		t.Fatal(err)
	}
	if len(tables) != there || there < 20 {
		t.Fatalf("sqlc read %d tables, and there are %d", len(tables), there)
	}
	for _, table := range tables {
		var want, got []string
		for _, col := range regexp.MustCompile(`(?m)^  ([a-z]\w*) +([A-Z]+)`).FindAllStringSubmatch(table[2], -1) {
			want = append(want, col[1]+" "+same.Replace(col[2]))
		}
		rows, err := db.Query(`SELECT name || ' ' || type FROM pragma_table_info($1)`, table[1])
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var col string
			if err := rows.Scan(&col); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(ownColumns, table[1]+" "+col) {
				got = append(got, col)
			}
		}
		if d := cmp.Diff(want, got); d != "" || rows.Err() != nil {
			t.Errorf("%s: got (+), want (-), %v:\n%s", table[1], rows.Err(), d)
		}
	}
}
