package admin_test

import (
	"encoding/csv"
	"fmt"
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
	says(t, page, ">$4.50</b>", "in 7 days, 6 calls", `<rect x="61" y="0" width="8" height="100"><title>Mon 23 Nov: $3.00</title>`,
		`<rect x="41" y="50" width="8" height="50"><title>Sat 21 Nov: $1.50</title>`, "Highest bar: $3.00", `href="/grants/a"`, "a.example.com", "$3.50", "Revoked", "gpt-4o", "$4.00",
		"a model with a strange name", `width="77.7%"`, "/usage.csv?range=7d", `href="/usage?range=7d" aria-current="page"`)
	if strings.Contains(page, "<b>&") || strings.Contains(page, "<title><") {
		t.Error("a model's name is not escaped")
	}
	says(t, w.get("/usage?range=30d").Body.String(), ">$11.50</b>", "in 30 days, 8 calls")
	says(t, w.get("/usage?range=nonsense").Body.String(), "in 7 days")
	w.spent = nil
	says(t, w.get("/usage?range=24h").Body.String(), "No call was made", ">$0.00</b>", "22 Nov, 16:00", "23 Nov, 15:00")
}

// An app chooses the names of models: no spreadsheet takes one for a formula.
func TestExportsHoldAllOfItAsText(t *testing.T) {
	w := newWorld(t)
	evil := []string{"=1+1", "+1", "-1", "@x", "\t=1", " =1", "|x", "'=1", `a","=1`, "fine-1"}
	for _, m := range evil {
		w.spend("a", m, 0, 1)
	}
	rec := w.get("/usage.csv?range=30d")
	rows, err := csv.NewReader(rec.Body).ReadAll()
	if err != nil || len(rows) != len(evil)+1 || rec.Header().Get("Content-Type") != "text/csv; charset=utf-8" || rec.Header().Get("Content-Disposition") != `attachment; filename="aipassport-usage-30d.csv"` {
		t.Fatalf("%d rows, %v, %v", len(rows), err, rec.Header())
	}
	for i, m := range evil {
		want := "'" + m
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
