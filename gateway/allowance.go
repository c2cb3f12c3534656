package gateway

import (
	"sync/atomic"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// allowance bounds how many bytes of request bodies are in memory at one time.
type allowance struct {
	most int64
	used atomic.Int64
}

func newAllowance(most int64) *allowance { return &allowance{most: most} }

// take reserves n bytes, or says that the broker is busy.
func (a *allowance) take(n int64) error {
	if a.used.Add(n) > a.most {
		a.used.Add(-n)
		return problem.New(problem.Busy, "too many large requests at once").After(time.Second)
	}
	return nil
}

func (a *allowance) give(n int64) { a.used.Add(-n) }
