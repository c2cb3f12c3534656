package sqlite

import (
	"errors"
	"fmt"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestWhatWasReadBesideACommitThatTouchesItIsNotKept: a reading that began, went on or ended while a commit did may have seen it or not,
// and the commit is carried over to what is kept. A commit that touches other grants is no matter.
func TestWhatWasReadBesideACommitThatTouchesItIsNotKept(t *testing.T) {
	read := passport.Liveness{Token: passport.Token{ID: "t", Grant: "g"}, Standing: passport.Standing{Grant: passport.Grant{ID: "g"}}}
	for name, jobs := range map[string]struct {
		jobs []*job
		done bool
		kept bool
	}{
		"nothing":             {nil, true, true},
		"its hold":            {[]*job{{hold: &passport.Hold{Grant: "g"}, opened: &opened{}}}, true, false},
		"a hold below it":     {[]*job{{hold: &passport.Hold{Grant: "h"}, opened: &opened{above: []move{{grant: "g"}}}}}, true, false},
		"its settlement":      {[]*job{{settle: &passport.Settlement{}, moved: []move{{grant: "g"}}}}, true, false},
		"its refused hold":    {[]*job{{hold: &passport.Hold{Grant: "g"}, err: errors.New("refused")}}, true, true},
		"another's hold":      {[]*job{{hold: &passport.Hold{Grant: "h"}, opened: &opened{}}}, true, true},
		"a settlement beside": {[]*job{{settle: &passport.Settlement{}, moved: []move{{grant: "h"}}}}, true, true},
		"an added token":      {[]*job{{keeps: true}}, true, true},
		"a late settle":       {[]*job{{settle: &passport.Settlement{}}}, true, false},
		"a change":            {[]*job{{}}, true, false},
		"unknown":             {nil, false, false},
	} {
		for when, during := range map[string]func(c *committed, put func(uint64), commit func()){
			"before": func(c *committed, put func(uint64), commit func()) {
				c.begin()
				commit()
				put(look(c))
			},
			"begins": func(c *committed, put func(uint64), commit func()) {
				at := look(c)
				c.begin()
				put(at)
				commit()
			},
			"ends": func(c *committed, put func(uint64), commit func()) {
				c.begin()
				at := look(c)
				commit()
				put(at)
			},
			"around": func(c *committed, put func(uint64), commit func()) {
				c.begin()
				put(look(c))
				commit()
			},
			"within": func(c *committed, put func(uint64), commit func()) {
				at := look(c)
				c.begin()
				commit()
				put(at)
			},
			"within, and another after it": func(c *committed, put func(uint64), commit func()) {
				at := look(c)
				c.begin()
				commit()
				c.begin()
				c.end(nil, true)
				put(at)
			},
			"within, and another is under way": func(c *committed, put func(uint64), commit func()) {
				at := look(c)
				c.begin()
				commit()
				c.begin()
				put(at)
				c.end(nil, true)
			},
		} {
			known := newCommitted()
			during(known, func(at uint64) { known.put(at, read, make([]passport.Balance, 1)) }, func() { known.end(jobs.jobs, jobs.done) })
			if _, _, ok := known.get("t"); ok != (jobs.kept || when == "before") {
				t.Errorf("%s, %s: kept is %v", name, when, ok)
			}
		}
	}
}

// TestWhatIsRememberedOfCommitsIsBounded: a reading from before what was forgotten is not kept.
func TestWhatIsRememberedOfCommitsIsBounded(t *testing.T) {
	read := passport.Liveness{Token: passport.Token{ID: "t", Grant: "g"}, Standing: passport.Standing{Grant: passport.Grant{ID: "g"}}}
	known := newCommitted()
	at := look(known)
	jobs := []*job{{hold: &passport.Hold{Grant: "g"}, opened: &opened{}}}
	for i := range maxTouched {
		jobs = append(jobs, &job{hold: &passport.Hold{Grant: passport.GrantID(fmt.Sprint(i))}, opened: &opened{}})
	}
	known.begin()
	known.end(jobs, true)
	if len(known.touched) > maxTouched {
		t.Errorf("%d are remembered", len(known.touched))
	}
	known.put(at, read, make([]passport.Balance, 1))
	if _, _, ok := known.get("t"); ok {
		t.Error("kept")
	}
	known.begin()
	for range maxWaiting + 1 {
		known.put(look(known), read, make([]passport.Balance, 1))
	}
	if len(known.waiting) != maxWaiting {
		t.Errorf("%d wait", len(known.waiting))
	}
	known.end(nil, true)
	if _, _, ok := known.get("t"); !ok {
		t.Error("not kept")
	}
}

// TestAnUnknownCommitForgets: what may be in the file and may not is read from there.
func TestAnUnknownCommitForgets(t *testing.T) {
	read := passport.Liveness{Token: passport.Token{ID: "t", Grant: "g"}, Standing: passport.Standing{Grant: passport.Grant{ID: "g"}}}
	for name, end := range map[string]func(*committed){
		"unknown":         func(c *committed) { c.end(nil, false) },
		"a change":        func(c *committed) { c.end([]*job{{}}, true) },
		"a late settle":   func(c *committed) { c.end([]*job{{settle: &passport.Settlement{}}}, true) },
		"refused":         func(c *committed) { c.end([]*job{{err: errors.New("refused")}}, true) },
		"an added token":  func(c *committed) { c.end([]*job{{keeps: true}}, true) },
		"a grant's money": func(c *committed) { c.end([]*job{{settle: &passport.Settlement{}, moved: []move{{grant: "g"}}}}, true) },
	} {
		known := newCommitted()
		known.put(look(known), read, make([]passport.Balance, 1))
		known.begin()
		end(known)
		_, _, ok := known.get("t")
		if kept := name == "refused" || name == "an added token" || name == "a grant's money"; ok != kept {
			t.Errorf("%s: kept is %v, want %v", name, ok, kept)
		}
	}
}

func look(c *committed) uint64 {
	_, at, _ := c.get("t")
	return at
}

// TestARememberedHoldIsForgotten: a settlement reads its hold anew after whatever may have changed or closed it.
func TestARememberedHoldIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		then *job
		done bool
		kept bool
	}{
		"an added token":     {&job{keeps: true}, true, true},
		"a refused change":   {&job{err: errors.New("refused")}, true, true},
		"a change":           {&job{}, true, false},
		"its settlement":     {&job{settle: &passport.Settlement{ID: "r"}}, true, false},
		"another settlement": {&job{settle: &passport.Settlement{ID: "q"}}, true, true},
		"an unknown commit":  {&job{keeps: true}, false, false},
	} {
		w := &writer{opened: map[passport.ReservationID]*opened{}}
		w.remember([]*job{{hold: &passport.Hold{ID: "r"}, opened: &opened{}}}, true)
		w.remember([]*job{c.then}, c.done)
		if kept := w.opened["r"] != nil; kept != c.kept {
			t.Errorf("%s: remembered is %v, want %v", name, kept, c.kept)
		}
	}
}
