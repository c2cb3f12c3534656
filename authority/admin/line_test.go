package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

func TestAnAppsPageDrawsWhatItSpentAgainstItsCap(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5 * passport.Dollar, Settled: 4 * passport.Dollar, CallsCap: 9, Calls: 2})
	g := &w.list[0].Grant
	g.ApprovedAt, g.ExpiresAt = w.now.Add(-100*time.Hour), w.now.Add(time.Hour)
	w.marks = []passport.Mark{{At: g.ApprovedAt.Add(-time.Minute), Settled: 7}, {At: g.ApprovedAt.Add(50 * time.Hour), Settled: passport.Dollar}, {At: g.ApprovedAt.Add(75 * time.Hour), Settled: 2 * passport.Dollar}}
	page := w.get("/grants/a").Body.String()
	says(t, page, `data-plot="/grants/a/plot"`, `<path class="line" d="M0 100H150V80H225V60H300V20"/>`, `<path class="area" d="M0 100H150V80H225V60H300V20V100H0Z"/>`, `<path class="cap" d="M0 0H300"/>`,
		"Cap of $5.00", "<span>$5.00</span><span>$2.50</span><span>$0</span>", `aria-label="$4.00 of $5.00 spent"`, "/static/plot.", "<span>19 Nov</span><span>23 Nov</span>",
		`<th scope="row">Mon 23 Nov 2026</th><td class="n">$2.00</td><td class="n">$4.00</td>`, `<th scope="row">Sun 22 Nov 2026</th><td class="n">$1.00</td><td class="n">$2.00</td>`,
		`<th scope="row">Sat 21 Nov 2026</th><td class="n">$1.00</td><td class="n">$1.00</td></tr></tbody>`)
	p := w.plot("/grants/a/plot")
	if p.Kind != "line" || p.Cap != 5_000_000 || len(p.Series) != 1 || !slices.Equal(p.Series[0].Data, []int64{0, 1_000_000, 2_000_000, 4_000_000}) ||
		p.X[0] != g.ApprovedAt.Unix() || p.X[3] != w.now.Unix() || len(p.X) != 4 {
		t.Errorf("%v", p)
	}

	// What has ended is drawn to its end.
	g.State, g.RevokedAt = passport.GrantRevoked, w.now.Add(-20*time.Hour)
	if p := w.plot("/grants/a/plot"); p.X[3] != g.RevokedAt.Unix() || p.Series[0].Data[3] != 4_000_000 {
		t.Errorf("revoked: %v", p)
	}

	// However many marks there are, the page is small, and a script gets all of them.
	w.marks, w.list[0].Total.Settled = nil, 5*passport.Dollar
	for i := range passport.MostMarks {
		w.marks = append(w.marks, passport.Mark{At: g.ApprovedAt.Add(time.Duration(i+1) * time.Minute), Settled: passport.Money(i+1) * 4000})
	}
	page = w.get("/grants/a").Body.String()
	if n := len(w.plot("/grants/a/plot").X); n != passport.MostMarks+2 || len(page) > 25_000 {
		t.Errorf("%d points, and a page of %d bytes", n, len(page))
	}

	w.add("asked", passport.GrantPending, passport.Balance{})
	if page := w.get("/grants/asked").Body.String(); strings.Contains(page, "data-plot") || strings.Contains(page, "plot.js") {
		t.Error("what was never approved has a plot")
	}
	if p := w.plot("/grants/asked/plot"); len(p.X) != 0 {
		t.Errorf("never approved: %v", p)
	}
	if rec := w.get("/grants/none/plot"); rec.Code != 404 {
		t.Errorf("no such app: %d", rec.Code)
	}
	w.nobody = true
	if rec := w.get("/grants/a/plot"); rec.Code != 303 || strings.Contains(rec.Body.String(), "5000000") {
		t.Errorf("nobody: %d %s", rec.Code, fmt.Sprint(rec.Body))
	}
}
