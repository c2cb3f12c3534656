package record_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
)

func logged(err error) string {
	for _, a := range (&record.Record{Err: err}).Attrs(time.Time{}) {
		if a.Key == "error" {
			return a.Value.String()
		}
	}
	return ""
}

// TestTheLogHearsNothingThatACallerMadeUp: the field of a bad request can be a member's name out of a tool's arguments.
func TestTheLogHearsNothingThatACallerMadeUp(t *testing.T) {
	for _, err := range []error{
		problem.New(problem.Invalid, "canary").In("messages[0].canary"),
		fmt.Errorf("read: %w", problem.New(problem.Invalid, "canary").In("canary")),
		problem.New(problem.ModelNotGranted, "model canary").In("model"),
		problem.New(problem.NotFound, "canary"),
	} {
		if s := logged(err); strings.Contains(s, "canary") || s == "" {
			t.Errorf("got %q", s)
		}
	}
	for want, err := range map[string]error{
		"in model":     problem.New(problem.ModelNotGranted, "x").In("model"),
		"disk is full": problem.Wrap(errors.New("disk is full"), problem.Unavailable, "later"),
		"silent":       problem.New(problem.UpstreamTimeout, "silent"),
	} {
		if s := logged(err); !strings.Contains(s, want) {
			t.Errorf("got %q, want %q in it", s, want)
		}
	}
	if s := logged(errors.New(strings.Repeat("x", 10_000))); len(s) > 500 {
		t.Errorf("%d bytes", len(s))
	}
}

// TestWentWell: only a whole answer to a call that was held and settled by its usage is left to the ledger.
func TestWentWell(t *testing.T) {
	good := record.Record{Call: "r", Why: passport.Finished, Status: 200}
	if !good.WentWell() {
		t.Error("a finished call did not go well")
	}
	for name, change := range map[string]func(*record.Record){
		"no call":  func(r *record.Record) { r.Call = "" },
		"an error": func(r *record.Record) { r.Err = errors.New("x") },
		"no usage": func(r *record.Record) { r.Why = passport.NoUsage },
		"unknown":  func(r *record.Record) { r.Why = "" },
		"refused":  func(r *record.Record) { r.Status = 429 },
		"no word":  func(r *record.Record) { r.Status = 0 },
	} {
		r := good
		change(&r)
		if r.WentWell() {
			t.Errorf("%s: it is not logged", name)
		}
	}
}
