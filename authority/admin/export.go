package admin

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// spentJSON is one row of an export. Amounts are micro-dollars.
type spentJSON struct {
	Begins          string `json:"begins"` // RFC 3339, UTC
	GrantID         string `json:"grantId"`
	Provider        string `json:"provider"`
	Model           string `json:"model"`
	Calls           int64  `json:"calls"`
	SettledMicroUSD int64  `json:"settledMicroUsd"`
	HeldMicroUSD    int64  `json:"heldMicroUsd"`
	InputTokens     int64  `json:"inputTokens"`
	OutputTokens    int64  `json:"outputTokens"`
}

// export reads what an export holds: all of it, or an error that says what to ask for instead.
func (a *Admin) export(w http.ResponseWriter, r *http.Request, kind, ext string) (out []spentJSON, s span, ok bool) {
	v, ok := a.look(w, r)
	if !ok {
		return nil, s, false
	}
	s = spanOf(r)
	list, err := a.cfg.History.SpentSince(r.Context(), v.Payer(), s.since(a.cfg.Now()), s.every, passport.MostSpent+1)
	if err == nil && len(list) > passport.MostSpent {
		err = problem.New(problem.Invalid, "an export has at most %d rows: choose a shorter range", passport.MostSpent).In("range")
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return nil, s, false
	}
	out = []spentJSON{}
	for _, x := range list {
		out = append(out, spentJSON{x.Begins.UTC().Format(time.RFC3339), string(x.Grant), string(x.Provider), x.Model, x.Calls, int64(x.Settled), int64(x.Held), x.Input, x.Output})
	}
	web.Protect(w)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="aipassport-usage-`+s.value+ext+`"`)
	return out, s, true
}

// UsageJSON answers GET /usage.json.
func (a *Admin) UsageJSON(w http.ResponseWriter, r *http.Request) {
	rows, s, ok := a.export(w, r, "application/json", ".json")
	if !ok {
		return
	}
	_ = json.NewEncoder(w).Encode(struct { // who hung up gets nothing
		Range string      `json:"range"`
		Rows  []spentJSON `json:"rows"`
	}{s.value, rows})
}

// UsageCSV answers GET /usage.csv (RFC 4180).
func (a *Admin) UsageCSV(w http.ResponseWriter, r *http.Request) {
	rows, _, ok := a.export(w, r, "text/csv; charset=utf-8", ".csv")
	if !ok {
		return
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	_ = c.Write([]string{"begins", "grant_id", "provider", "model", "calls", "settled_micro_usd", "held_micro_usd", "input_tokens", "output_tokens"})
	for _, x := range rows {
		_ = c.Write([]string{x.Begins, plain(x.GrantID), plain(x.Provider), plain(x.Model), n(x.Calls), n(x.SettledMicroUSD), n(x.HeldMicroUSD), n(x.InputTokens), n(x.OutputTokens)})
	}
	c.Flush()
}

// plain keeps a spreadsheet from reading a cell as a formula: an app chooses the names of models. A quote before it makes it text
// (OWASP, CSV Injection; ASVS 5.0, 1.2.10). A control character may be passed over there, and so may a quote of the app's own.
func plain(s string) string {
	first := func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune("=+-@|%'\uFEFF\uFF1D\uFF0B\uFF0D\uFF20", r)
	}
	if strings.IndexFunc(strings.TrimLeftFunc(s, unicode.IsSpace), first) == 0 || strings.IndexFunc(s, unicode.IsControl) == 0 {
		return "'" + s
	}
	return s
}
