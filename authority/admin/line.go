package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of the plot of an app.
const (
	lineWidth = 300 // units of the server's drawing: no more steps than that
	mostDays  = 31  // rows of the table, or as many hours
)

// dayView is a row of the table: what a day or an hour cost, and the sum at its end.
type dayView struct{ When, Cost, Sum string }

// GrantPlot answers GET /grants/{id}/plot: what the plot of the app's page has, for a script.
func (a *Admin) GrantPlot(w http.ResponseWriter, r *http.Request) {
	v, ok := a.look(w, r)
	if !ok {
		return
	}
	s, err := a.cfg.Grants(v.Payer()).Standing(r.Context(), passport.GrantID(r.PathValue("id")))
	var marks []passport.Mark
	if err == nil {
		marks, err = a.cfg.History.Marks(r.Context(), s.Grant.ID)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	out := plotData{Kind: "line", Every: 60, Cap: int64(s.Total.Cap), Series: []plotSeries{{Name: "Spent", Data: []int64{}}}, X: []int64{}}
	for _, m := range passport.Line(s.Grant, s.Total.Settled, marks, a.cfg.Now()) {
		out.X, out.Series[0].Data = append(out.X, unix(m.At)), append(out.Series[0].Data, int64(m.Settled))
	}
	writePlot(w, out)
}

// spentLine draws what an app has spent over time, against its cap; nothing, if it was never approved.
func (a *Admin) spentLine(ctx context.Context, d *grantView, s passport.Standing) error {
	marks, err := a.cfg.History.Marks(ctx, s.Grant.ID)
	line := passport.Line(s.Grant, s.Total.Settled, marks, a.cfg.Now())
	if err != nil || len(line) == 0 {
		return err
	}
	p := plotView{Title: "Spent so far", Data: grantPath(s.Grant.ID) + "/plot", Width: lineWidth, Cap: s.Total.Cap, Key: []colourView{{1, "Spent"}},
		Label: web.USD(s.Total.Settled) + " of " + web.USD(s.Total.Cap) + " spent"}
	top := scale(max(s.Total.Cap, s.Total.Settled))
	p.axis(top)
	p.CapY = plotHeight - height(s.Total.Cap, top)
	p.draw(line, top)
	d.Plot, d.Days = &p, days(line)
	return nil
}

// draw makes a path of steps, and the area below it.
func (p *plotView) draw(line []passport.Mark, top passport.Money) {
	from, span := line[0].At, max(line[len(line)-1].At.Sub(line[0].At), time.Second)
	var b strings.Builder
	x, y := int64(0), int64(plotHeight)
	fmt.Fprintf(&b, "M0 %d", y)
	for _, m := range line {
		nx, ny := int64(m.At.Sub(from)/max(1, span/lineWidth)), plotHeight-height(m.Settled, top)
		if nx = min(nx, lineWidth); nx > x {
			fmt.Fprintf(&b, "H%d", nx)
			x = nx
		}
		if ny != y {
			fmt.Fprintf(&b, "V%d", ny)
			y = ny
		}
	}
	p.Line = b.String()
	p.Area = p.Line + fmt.Sprintf("V%dH0Z", plotHeight)
	format := "2 Jan"
	if span < 72*time.Hour {
		format = "2 Jan, 15:04"
	}
	p.X = []string{from.UTC().Format(format), line[len(line)-1].At.UTC().Format(format)}
}

// days are the sums of each day, or each hour where the line is short, newest first, of those in which something was spent.
func days(line []passport.Mark) (out []dayView) {
	every, format := 24*time.Hour, "Mon 2 Jan 2006"
	if line[len(line)-1].At.Sub(line[0].At) < 48*time.Hour {
		every, format = time.Hour, "Mon 2 Jan, 15:04"
	}
	for i := len(line) - 1; i > 0 && len(out) < mostDays; {
		end, at := line[i], line[i].At.UTC().Truncate(every)
		for i > 0 && !line[i].At.Before(at) {
			i--
		}
		if spent := end.Settled - line[i].Settled; spent > 0 {
			out = append(out, dayView{at.Format(format), web.USD(spent), web.USD(end.Settled)})
		}
	}
	return out
}
