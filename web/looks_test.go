package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scripts returns our own scripts by name. uPlot is others' work, in a file with its name.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("static/*.js")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	own := map[string]string{}
	for _, p := range paths {
		if !strings.HasPrefix(strings.ToLower(filepath.Base(p)), "uplot") {
			own[filepath.Base(p)] = read(t, p)
		}
	}
	return own
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBudgets: what a page brings along stays small. The size of the pages themselves is looked at by e2e/browser/axe.test.mjs.
func TestBudgets(t *testing.T) {
	count := func(name, body string, most int) {
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		g.Write([]byte(body))
		g.Close()
		t.Logf("%s: %d bytes, %d gzipped, at most %d", name, len(body), z.Len(), most)
		if len(body) > most {
			t.Errorf("%s has %d bytes, at most %d are allowed", name, len(body), most)
		}
	}
	count("app.css", read(t, "static/app.css"), 20_000)
	all := ""
	for _, body := range scripts(t) {
		all += body
	}
	count("our scripts together", all, 20_000)
}

// TestScriptWritesTextOnly: no script of ours makes markup, styles or code of a text, or speaks to another origin. Only scripts that need
// it fetch at all.
func TestScriptWritesTextOnly(t *testing.T) {
	fetches := []string{"passkey.js", "plot.js"}
	for name, body := range scripts(t) {
		code := regexp.MustCompile(`(?m)(^|\s)//.*$`).ReplaceAllString(body, "")
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "createContextualFragment", "DOMParser", "setHTML", "srcdoc", "eval(",
			"new Function", `setAttribute('style'`, `setAttribute("style"`, "cssText", "http://", "https://", "'//", "javascript:", "import(", "postMessage", "localStorage", "document.cookie"} {
			if strings.Contains(code, bad) {
				t.Errorf("%s uses %s", name, bad)
			}
		}
		if strings.Contains(code, "fetch(") && !slices.Contains(fetches, name) {
			t.Errorf("%s fetches", name)
		}
	}
}

// seen are the colours that stand on each other, with the least contrast: 4.5 for text, 3 for the edges of controls, the ring of focus and
// plots (WCAG 2.2, 1.4.3 and 1.4.11).
var seen = []struct {
	on    string
	least float64
	what  []string
}{
	{"paper", 4.5, []string{"ink", "ink-2", "brand", "brand-2", "stamp", "bad"}},
	{"card", 4.5, []string{"ink", "ink-2", "brand", "brand-2", "stamp", "good", "bad"}},
	{"sunk", 4.5, []string{"ink", "ink-2", "brand"}},
	{"brand", 4.5, []string{"on-brand"}},
	{"brand-2", 4.5, []string{"on-brand"}},
	{"bad", 4.5, []string{"on-bad"}},
	{"brand-soft", 4.5, []string{"ink", "ink-2"}},
	{"stamp-soft", 4.5, []string{"ink", "ink-2", "stamp", "brand"}},
	{"good-soft", 4.5, []string{"ink", "good", "brand"}},
	{"warn-soft", 4.5, []string{"ink", "ink-2", "warn", "brand"}},
	{"bad-soft", 4.5, []string{"ink", "ink-2", "bad", "brand"}},
	{"paper", 3, []string{"edge", "focus"}},
	{"card", 3, []string{"edge", "focus", "p1", "p2", "p3", "p4", "p5", "p6"}},
}

// TestContrast computes the table of colours from app.css, and compares it with the one in docs/design/pages.md. Every colour must be in it,
// and no rule may have one of its own.
func TestContrast(t *testing.T) {
	css := read(t, "static/app.css")
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):light-dark\((#[0-9a-f]+),(#[0-9a-f]+)\)`).FindAllStringSubmatch(css, -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	named := map[string]bool{"line": true} // hairlines: never the only mark of anything
	var table strings.Builder
	for _, s := range seen {
		named[s.on] = true
		var row []string
		for _, what := range s.what {
			named[what] = true
			var got [2]float64
			for i, scheme := range []string{"light", "dark"} {
				fg, bg := colours[what][i], colours[s.on][i]
				if fg == "" || bg == "" {
					t.Fatalf("no colour %s or %s", what, s.on)
				}
				if got[i] = contrast(t, fg, bg); got[i] < s.least {
					t.Errorf("%s on %s, %s: %.2f, want %.1f", what, s.on, scheme, got[i], s.least)
				}
			}
			row = append(row, fmt.Sprintf("%s %.1f / %.1f", what, math.Floor(10*got[0])/10, math.Floor(10*got[1])/10))
		}
		fmt.Fprintf(&table, "| %s | %s | %.1f |\n", s.on, strings.Join(row, ", "), s.least)
	}
	for c := range colours {
		if !named[c] {
			t.Errorf("nobody says what --%s stands on", c)
		}
	}
	rules := regexp.MustCompile(`(?s):root\{.*?\}`).ReplaceAllString(css, "")
	if own := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch|lab)a?\(`).FindAllString(rules, -1); len(own) > 0 {
		t.Errorf("rules of app.css have colours of their own: %v", own)
	}
	if doc := read(t, "../docs/design/pages.md"); !strings.Contains(doc, table.String()) {
		t.Errorf("docs/design/pages.md has another table of colours; it should be:\n%s", table.String())
	}
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + .05) / (math.Min(x, y) + .05)
}

func luminance(t *testing.T, c string) float64 {
	c = c[1:]
	if len(c) == 3 {
		c = string([]byte{c[0], c[0], c[1], c[1], c[2], c[2]})
	}
	b, err := hex.DecodeString(c)
	if err != nil || len(b) != 3 {
		t.Fatalf("colour %s", c)
	}
	l := 0.0
	for i, w := range []float64{.2126, .7152, .0722} {
		v := float64(b[i]) / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		l += w * v
	}
	return l
}
