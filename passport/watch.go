package passport

import (
	"fmt"
	"slices"
	"time"
)

// What a look tells.
const (
	GrantFirstUsed EventKind = "grant.first_used" // an app has made its first call
	GrantUnusual   EventKind = "grant.unusual"    // it spends far more than it did
)

// Mark is what a grant had spent at a time, with all that it passed on.
type Mark struct {
	At      time.Time
	Settled Money
}

// How marks are kept: one where what is spent has changed, at most one in MarkEvery. Of those older than MarkHours the last of each hour
// stays, of those older than MarkDays the last of each UTC day. Of a grant that lives the longest and spends all the time that is less than
// MostMarks.
const (
	MarkEvery = 10 * time.Minute
	MarkHours = 48 * time.Hour
	MarkDays  = 8 * 24 * time.Hour
	MostMarks = 1000
)

// Watched is a grant as the look of each minute finds it: one that a person gave and that can still spend.
type Watched struct {
	Grant   GrantID
	Settled Money
	Used    bool // a call was made
	Told    bool // of that
	Last    Mark // the newest; zero: there is none
	Hour    Mark // the newest that is an hour old, without its time; Settled < 0: there is none
}

// Due says whether the grant needs a mark.
func (w Watched) Due(now time.Time) bool {
	return w.Last.At.IsZero() || (w.Behind() && !now.Before(w.Last.At.Add(MarkEvery)))
}

// Behind says whether the newest mark is not what the grant has spent.
func (w Watched) Behind() bool { return w.Settled != w.Last.Settled }

// LastHour is what was spent in the last hour, as far as marks tell: what was spent in up to MarkEvery before it may count too. Before a
// grant is watched for an hour that is not known, and 0.
func (w Watched) LastHour() Money {
	if w.Hour.Settled < 0 {
		return 0
	}
	return w.Settled - w.Hour.Settled
}

// What is unusual: more in the last hour than UnusualTimes the mean of a day, of the seven days before or as many as there are, at least one;
// and more than UnusualAbove. Nobody is told of the first day of an app: there is nothing to compare it with.
const (
	UnusualTimes = 5
	UnusualAbove = Dollar
	UnusualDays  = 7
)

// Unusual says whether the last hour of a grant is, and the mean of a day. marks are the grant's, in the order of time.
func (w Watched) Unusual(marks []Mark, now time.Time) (mean Money, ok bool) {
	hour := now.Add(-time.Hour)
	if w.LastHour() <= UnusualAbove || len(marks) == 0 || marks[0].At.After(hour.Add(-24*time.Hour)) {
		return 0, false
	}
	from := marks[0]
	for _, m := range marks {
		if !m.At.After(hour.Add(-UnusualDays * 24 * time.Hour)) {
			from = m
		}
	}
	days := min(UnusualDays, int64(hour.Sub(from.At)/(24*time.Hour)))
	mean = (w.Hour.Settled - from.Settled) / Money(days)
	return mean, w.LastHour()/UnusualTimes > mean
}

// FirstUse tells that an app has made its first call.
func (w Watched) FirstUse(now time.Time) Event {
	return Event{ID: EventID(fmt.Sprintf("%s:%s", w.Grant, GrantFirstUsed)), Kind: GrantFirstUsed, At: now, Actor: "broker", Grant: w.Grant, Note: "its first call was made"}
}

// Spree tells of an unusual hour.
func (w Watched) Spree(mean Money, now time.Time) Event {
	return Event{ID: EventID(fmt.Sprintf("%s:%s:%s", w.Grant, GrantUnusual, now.UTC().Format(time.DateOnly))), Kind: GrantUnusual, At: now, Actor: "broker", Grant: w.Grant,
		Note: fmt.Sprintf("%s in the last hour; a day has cost %s on average", w.LastHour(), (mean+Cent-1)/Cent*Cent)}
}

// Line is what a grant has spent over time, for a plot: from its approval, by its marks, to now or its end.
func Line(g Grant, settled Money, marks []Mark, now time.Time) []Mark {
	if g.ApprovedAt.IsZero() {
		return nil
	}
	end := now
	for _, t := range []time.Time{g.ExpiresAt, g.RevokedAt} {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	out := []Mark{{At: g.ApprovedAt}}
	for _, m := range slices.SortedFunc(slices.Values(marks), func(a, b Mark) int { return a.At.Compare(b.At) }) {
		if m.At.After(g.ApprovedAt) && m.At.Before(end) {
			out = append(out, m)
		}
	}
	return append(out, Mark{At: end, Settled: settled})
}

// Found is what a look has found of one grant and is to be written.
type Found struct {
	Grant  GrantID
	Mark   Mark // zero: none
	Thin   bool // older marks are to be thinned
	Events []Event
}
