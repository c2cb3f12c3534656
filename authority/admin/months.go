package admin

import (
	"context"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Bounds of months. A month of a million calls takes seconds to add up; today's alone, a small part of that.
const (
	slowSum  = 100 * time.Millisecond // a sum that took less is made each time
	keepSum  = 10 * time.Minute       // and one that took longer is kept for so long: a call of yesterday's that ends meanwhile is in the next
	mostSums = 128                    // payers whose sums are kept; with one more all are forgotten
)

// months is what the days before today have cost, where adding them up took long. The zero months is empty.
type months struct {
	mu sync.Mutex // guards of
	of map[passport.Payer]month
}

// month is the days of a month before a day.
type month struct {
	day, until time.Time
	spent      passport.Money
}

func (m *months) get(p passport.Payer, day, now time.Time) (passport.Money, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.of[p]
	return x.spent, x.day.Equal(day) && now.Before(x.until)
}

func (m *months) put(p passport.Payer, x month) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) >= mostSums {
		m.of = map[passport.Payer]month{}
	}
	m.of[p] = x
}

// monthSoFar is what a person's calls of this UTC month have cost; those of today are added up already. What ends between that sum and
// the one of the month is counted twice where the latter is kept: shown too high for a while, and not too low.
func (a *Admin) monthSoFar(ctx context.Context, p passport.Payer, now time.Time, today passport.Money) (passport.Money, error) {
	day := now.Truncate(24 * time.Hour)
	if before, ok := a.months.get(p, day, now); ok {
		return before + today, nil
	}
	begin := a.cfg.Now()
	all, _, _, err := a.cfg.History.Totals(ctx, p, time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC))
	if end := a.cfg.Now(); err == nil && end.Sub(begin) > slowSum {
		a.months.put(p, month{day: day, until: end.Add(keepSum), spent: max(0, all-today)})
	}
	return all, err
}
