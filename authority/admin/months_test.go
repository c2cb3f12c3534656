package admin_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// TestAMonthOfManyCallsIsAddedUpSeldom: and today's calls are in what is shown at once.
func TestAMonthOfManyCallsIsAddedUpSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(14*24*time.Hour + time.Hour) // a bubble begins with a month
		w := newWorld(t)
		w.clock, w.now = time.Now, time.Now()
		w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
		w.list[0].Grant.ExpiresAt = w.now.Add(72 * time.Hour)
		shows := func(want string, sums int) {
			t.Helper()
			if page := w.get("/").Body.String(); !strings.Contains(page, `data-l="all-month">`+want+"<") || w.sums != sums {
				t.Errorf("the page does not show %s, or the month was added up %d times, want %d", want, w.sums, sums)
			}
		}
		// 1. Where it is quick, each time.
		w.before, w.today = 10*passport.Dollar, passport.Dollar
		shows("$11.00", 1)
		shows("$11.00", 2)
		// 2. Where it is not, once in a while.
		w.sumTakes = 3 * time.Second
		shows("$11.00", 3)
		w.today = 2 * passport.Dollar
		shows("$12.00", 3)
		time.Sleep(9 * time.Minute)
		shows("$12.00", 3)
		w.before = 20 * passport.Dollar
		time.Sleep(2 * time.Minute)
		shows("$22.00", 4)
		// 3. Another day is another sum, however young the last one is.
		time.Sleep(22*time.Hour + 45*time.Minute)
		shows("$22.00", 5)
		time.Sleep(5 * time.Minute)
		w.before, w.today = 22*passport.Dollar, passport.Cent
		shows("$22.01", 6)
	})
}
