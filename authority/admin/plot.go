package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of a plot.
const (
	mostSeries = 5 // that have a colour of their own; the others are summed in one more
)

// plotData is what web/static/plot.js draws: the same that the server has drawn. Amounts are micro-dollars.
type plotData struct {
	Kind   string       `json:"kind"` // "bars", of a day or an hour each and stacked, or "line", in steps
	Every  int64        `json:"every"`
	X      []int64      `json:"x"` // Unix seconds, ascending
	Series []plotSeries `json:"series"`
	Cap    int64        `json:"cap,omitempty"` // drawn as a line; 0: there is none
}

type plotSeries struct {
	Name string  `json:"name"`
	Data []int64 `json:"data"` // one for each of X
}

// fresh is a name that no series has yet: two apps may say that they are at the same address.
func (d plotData) fresh(name string) string {
	out := name
	for n := 2; slices.ContainsFunc(d.Series, func(s plotSeries) bool { return s.Name == out }); n++ {
		out = name + " (" + strconv.Itoa(n) + ")"
	}
	return out
}

// writePlot answers a script.
func writePlot(w http.ResponseWriter, d plotData) {
	web.Protect(w)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(d) // who hung up gets nothing
}

// Units of the server's drawings.
const (
	plotHeight = 100
	plotStep   = 10
)

// plotView is a plot as the page has it before a script takes its place.
type plotView struct {
	Title, Label string
	Data         string // where a script reads the same
	Width        int64
	Key          []colourView
	Y            [3]string // labels of the scale: top, middle, nothing
	X            []string
	Bars         []barView
	Area, Line   string // of a path: coordinates only
	Cap          passport.Money
	CapY         int64 // where the cap is
}

// colourView names a colour.
type colourView struct {
	N    int
	Name string
}

// barView is the stack of an hour or a day.
type barView struct {
	When, Cost string
	Parts      []partView
}

type partView struct {
	N       int // the colour
	X, Y, H int64
}

// scale is the top of an axis: the smallest round amount that is not below top, at least $0.0002. Its half is round too.
func scale(top passport.Money) passport.Money {
	for unit := passport.Money(100); unit < passport.MaxMoney; unit *= 10 {
		for _, n := range [...]passport.Money{2, 3, 4, 5, 6, 8, 10} {
			if n*unit >= top {
				return n * unit
			}
		}
	}
	return top
}

// axis labels a scale.
func (p *plotView) axis(top passport.Money) { p.Y = [3]string{web.USD(top), web.USD(top / 2), "$0"} }

// height of an amount, at least 1 unit if it is anything.
func height(m, top passport.Money) int64 {
	if m <= 0 {
		return 0
	}
	return min(max(1, int64(m/max(1, top/plotHeight))), plotHeight)
}

// stack draws the bars of a plot, the first series at the bottom.
func (p *plotView) stack(d plotData, name func(i int) string) {
	sums := make([]passport.Money, len(d.X))
	var most passport.Money
	for i := range d.X {
		for _, s := range d.Series {
			sums[i] += passport.Money(s.Data[i])
		}
		most = max(most, sums[i])
	}
	top := scale(most)
	p.axis(top)
	for n, s := range d.Series {
		p.Key = append(p.Key, colourView{n + 1, s.Name})
	}
	for i, sum := range sums {
		if sum <= 0 {
			continue
		}
		b, below, drawn := barView{When: name(i), Cost: web.USD(sum)}, passport.Money(0), int64(0)
		for n, s := range d.Series {
			below += passport.Money(s.Data[i])
			if h := height(below, top) - drawn; h > 0 {
				drawn += h
				b.Parts = append(b.Parts, partView{n + 1, int64(i)*plotStep + 1, plotHeight - drawn, h})
			}
		}
		p.Bars = append(p.Bars, b)
	}
}

// unix is a time as a plot has it.
func unix(t time.Time) int64 { return t.Unix() }
