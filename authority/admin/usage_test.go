package admin_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// spend adds a row: of a grant and a model, so long before now.
func (w *world) spend(g passport.GrantID, model string, ago time.Duration, cost passport.Money) {
	w.spent = append(w.spent, passport.Spent{Begins: w.now.Add(-ago).Truncate(24 * time.Hour), Grant: g, Provider: passport.OpenAI, Model: model, Calls: 2, Settled: cost, Input: 10, Output: 3})
}

func TestUsageDrawsDaysAppsAndModels(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 9e6})
	w.add("b", passport.GrantRevoked, passport.Balance{Cap: 9e6})
	w.spend("a", "gpt-4o", 0, 3*passport.Dollar)
	w.spend("b", "gpt-4o", 48*time.Hour, passport.Dollar)
	w.spend("a", "<b>", 48*time.Hour, passport.Dollar/2)
	w.spend("a", "gpt-4o", 8*24*time.Hour, 7*passport.Dollar)
	page := w.get("/usage").Body.String()
	says(t, page, ">$4.50</b>", "in 7 days, 6 calls", `<g><title>Mon 23 Nov: $3.00</title><rect class="c1" x="61" y="0" width="8" height="100"/></g>`,
		`<g><title>Sat 21 Nov: $1.50</title><rect class="c1" x="41" y="84" width="8" height="16"/><rect class="c2" x="41" y="50" width="8" height="34"/></g>`,
		"most of it, $3.00, Mon 23 Nov", `<li class="c1">a.example.com</li><li class="c2">b.example.com</li>`, `data-plot="/usage/plot?range=7d&amp;by=app"`,
		"<span>$3.00</span><span>$1.50</span><span>$0</span>", `<th scope="row" class="nw">Sat 21 Nov</th><td class="n">4</td><td class="n">$0.50</td><td class="n">$1.00</td><td class="n">$1.50</td>`,
		`<link rel="stylesheet" href="/static/plot.`, `<script src="/static/uplot.`, `href="/grants/a"`, "a.example.com", "$3.50", "Revoked", "gpt-4o", "$4.00",
		"a model with a strange name", `width="77.7%"`, "/usage.csv?range=7d", `href="/usage?range=7d&amp;by=app" aria-current="page"`)
	if strings.Contains(page, "<b>&") || strings.Contains(page, "<title><") {
		t.Error("a model's name is not escaped")
	}
	says(t, w.get("/usage?range=30d").Body.String(), ">$11.50</b>", "in 30 days, 8 calls")
	says(t, w.get("/usage?range=nonsense").Body.String(), "in 7 days")
	w.spent = nil
	says(t, w.get("/usage?range=24h").Body.String(), "No call was made", ">$0.00</b>", "22 Nov, 16:00", "23 Nov, 15:00")
}

// plotJSON is what a script is told.
type plotJSON struct {
	Kind   string
	Every  int64
	X      []int64
	Series []struct {
		Name string
		Data []int64
	}
	Cap int64
}

func (w *world) plot(path string) (p plotJSON) {
	w.t.Helper()
	rec := w.get(path)
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%s: %d, %v, %v", path, rec.Code, err, rec.Header())
	}
	return p
}

func TestThePlotOfUsageHasAtMostFiveNamesAndTheOthers(t *testing.T) {
	w := newWorld(t)
	for i := range 9 {
		id := passport.GrantID(fmt.Sprint("g", i))
		w.add(id, passport.GrantActive, passport.Balance{Cap: 9e6})
		w.spend(id, fmt.Sprint("model-", i), 24*time.Hour, passport.Money(200-10*i))
		w.spend(id, "model-0", 0, passport.Money(i))
	}
	w.list[1].Grant.AppURL = w.list[0].Grant.AppURL // two that say they are at the same place
	p := w.plot("/usage/plot?range=7d")
	var names []string
	sum := int64(0)
	for _, s := range p.Series {
		names = append(names, s.Name)
		for _, v := range s.Data {
			sum += v
		}
		if len(s.Data) != len(p.X) {
			t.Errorf("%s has %d values, x has %d", s.Name, len(s.Data), len(p.X))
		}
	}
	want := []string{"g0.example.com", "g0.example.com (2)", "g2.example.com", "g3.example.com", "g4.example.com", "4 others"}
	if !slices.Equal(names, want) || sum != 1476 || p.Kind != "bars" || p.Every != 86400 || len(p.X) != 7 || p.X[6] != w.now.Truncate(24*time.Hour).Unix() {
		t.Errorf("got %v, %v %v", names, sum, p)
	}
	if d := p.Series[5].Data; d[5] != 150+140+130+120 || d[6] != 5+6+7+8 {
		t.Errorf("the others have %v", d)
	}
	if p := w.plot("/usage/plot?range=24h&by=model"); len(p.X) != 24 || p.Every != 3600 || p.Series[0].Name != "model-0" || p.Series[0].Data[8] != 36 {
		t.Errorf("by model: %v", p)
	}
	w.spent = nil
	if p := w.plot("/usage/plot"); len(p.Series) != 0 || len(p.X) != 7 {
		t.Errorf("of nothing: %v", p)
	}
	w.nobody = true
	if rec := w.get("/usage/plot"); rec.Code != 303 || strings.Contains(rec.Body.String(), "example.com") {
		t.Errorf("nobody: %d", rec.Code)
	}
}

// An app chooses the names of models: no spreadsheet takes one for a formula.
func TestExportsHoldAllOfItAsText(t *testing.T) {
	w := newWorld(t)
	evil := []string{"=1+1", "+1", "-1", "@x", "\t=1", " =1", "|x", "'=1", "\tx", "\x00=1", "\r=1", "\u00a0@x", "\ufeff=1", "\uff1d1", "\uff0bx", `a","=1`, "fine-1"}
	for _, m := range evil {
		w.spend("a", m, 0, 1)
	}
	rec := w.get("/usage.csv?range=30d")
	rows, err := csv.NewReader(rec.Body).ReadAll()
	if err != nil || len(rows) != len(evil)+1 || rec.Header().Get("Content-Type") != "text/csv; charset=utf-8" || rec.Header().Get("Content-Disposition") != `attachment; filename="aipassport-usage-30d.csv"` {
		t.Fatalf("%d rows, %v, %v", len(rows), err, rec.Header())
	}
	for i, m := range evil {
		want := "'" + strings.ReplaceAll(m, "\r", "") // the writer leaves it out
		if i >= len(evil)-2 {
			want = m
		}
		if got := rows[i+1][3]; got != want || rows[i+1][5] != "1" {
			t.Errorf("%q is %q", m, rows[i+1])
		}
	}
	says(t, w.get("/usage.json").Body.String(), `{"range":"7d","rows":[{"begins":"2026-11-23T00:00:00Z","grantId":"a","provider":"openai","model":"=1+1","calls":2,"settledMicroUsd":1,"heldMicroUsd":0,"inputTokens":10,"outputTokens":3}`)
	for i := range passport.MostSpent {
		w.spend("a", fmt.Sprint("m", i), 0, 1)
	}
	for _, path := range []string{"/usage.csv", "/usage.json"} {
		if rec := w.get(path); rec.Code != 422 || !strings.Contains(rec.Body.String(), "shorter range") {
			t.Errorf("%s with too much: %d", path, rec.Code)
		}
	}
	w.nobody = true
	if rec := w.get("/usage.csv"); rec.Code != 303 {
		t.Errorf("nobody: %d", rec.Code)
	}
}
