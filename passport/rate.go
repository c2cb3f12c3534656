package passport

import (
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// RateWindow is the time over which a rate limit counts.
const RateWindow = time.Minute

// RateBatches bounds what is remembered of the calls of one detail in a window.
const RateBatches = 64

// RatePlace is where a call was counted against the rate of a detail, to give it back.
type RatePlace struct {
	Grant  GrantID
	Detail int
	Batch  int64
}

// RateExceeded says that a rate allows no call now, but after a wait, which is rounded up to a millisecond; 0 means never.
func RateExceeded(limit int64, wait time.Duration) error {
	wait = (wait + time.Millisecond - 1).Truncate(time.Millisecond)
	return problem.New(problem.RateExceeded, "this grant allows %d calls a minute", limit).After(wait)
}
