package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What pages name, in backticks: a test, or a case of one after a slash; a file or a folder of the tree.
var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)(?:/([^`]+))?`")
	namedFile = regexp.MustCompile("`([a-z0-9][a-zA-Z0-9_./-]*/[a-zA-Z0-9_.-]+\\.(?:go|mjs|sh|sql|html|md))`")
)

// tests is the text of all test files below root, Go's and JavaScript's.
func tests(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() != ".." && strings.HasPrefix(d.Name(), ".") && p != root) {
			return filepath.SkipDir
		}
		if !d.IsDir() && (strings.HasSuffix(p, "_test.go") || strings.HasSuffix(p, ".test.mjs")) {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			all.Write(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// unnamed says which tests, cases and files a page names that are not there.
func unnamed(root, page, tests string) []string {
	var missing []string
	for _, m := range namedTest.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(tests, "func "+m[1]+"(") {
			missing = append(missing, m[1])
		}
		if m[2] != "" && !strings.Contains(tests, `"`+m[2]+`"`) && !strings.Contains(tests, `'`+m[2]+`'`) {
			missing = append(missing, m[1]+"/"+m[2])
		}
	}
	for _, m := range namedFile.FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			missing = append(missing, m[1])
		}
	}
	return missing
}

// TestPagesNameWhatIsThere: every test, case and file that the pages on threats and on OAuth name exists.
func TestPagesNameWhatIsThere(t *testing.T) {
	root := filepath.Join("..", "..")
	all := tests(t, root)
	for _, name := range []string{"docs/threat-model.md", "docs/design/oauth-rfcs.md"} {
		page, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(namedTest.FindAll(page, -1)); n < 20 {
			t.Errorf("%s names %d tests", name, n)
		}
		for _, m := range unnamed(root, string(page), all) {
			t.Errorf("%s names %s, which is not there", name, m)
		}
	}
	if got := unnamed(root, "`TestNobodyWroteThis` `TestPagesNameWhatIsThere/no such case` `guard/nothing/here.go` `TestPagesNameWhatIsThere` `guard/token/token.go`", all); len(got) != 3 {
		t.Errorf("of three that are missing it finds %v", got)
	}
}
