package problem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// What was never classified tells the caller nothing.
func TestUnclassifiedIsInternalAndTellsNothing(t *testing.T) {
	for _, err := range []error{io.EOF, errors.New("password of the database is x"), fmt.Errorf("a: %w", io.EOF), context.DeadlineExceeded} {
		p := problem.From(err)
		if p.Kind != problem.Internal || p.Detail != "internal error" || !errors.Is(p, err) {
			t.Errorf("%v: got kind %d, %q, cause %v", err, p.Kind, p.Detail, p.Cause)
		}
		if got := problem.KindOf(err); got != problem.Internal {
			t.Errorf("%v: got kind %d", err, got)
		}
	}
	if (&problem.Error{}).Kind != problem.Internal || problem.KindOf(nil) != problem.Internal || problem.From(nil) != nil {
		t.Error("the zero Kind is not Internal, or nil is an error")
	}
	if p := problem.From(fmt.Errorf("read: %w", context.Canceled)); p.Kind != problem.ClientGone {
		t.Errorf("got kind %d, want ClientGone", p.Kind)
	}
}

func TestClassifiedStaysSoWhenWrapped(t *testing.T) {
	e := problem.Wrap(io.EOF, problem.Busy, "%d calls", 3).In("field").After(time.Second)
	p := problem.From(fmt.Errorf("b: %w", fmt.Errorf("a: %w", e)))
	if p != e || problem.KindOf(fmt.Errorf("a: %w", e)) != problem.Busy || !errors.Is(p, io.EOF) {
		t.Errorf("got %+v", p)
	}
	if p.Detail != "3 calls" || p.Field != "field" || p.RetryAfter != time.Second || p.Error() != "field: 3 calls: EOF" {
		t.Errorf("got %+v, %q", p, p.Error())
	}
}

// In and After make copies: an error that is shared is not changed by one who adds to it.
func TestAddingMakesACopy(t *testing.T) {
	e := problem.New(problem.Invalid, "no")
	if e.In("a").In("b").Field != "b" || e.After(time.Second).RetryAfter != time.Second || e.Field != "" || e.RetryAfter != 0 {
		t.Errorf("got %+v", e)
	}
}
