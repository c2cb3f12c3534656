package sqlite

import (
	"errors"
	"testing"

	"github.com/devrelopers/aipassport/passport"
)

// TestWhatWasReadBesideACommitIsNotKept: a reading that began, went on or ended while a commit did may have seen it or not, and the
// commit is carried over to what is kept.
func TestWhatWasReadBesideACommitIsNotKept(t *testing.T) {
	read := passport.Liveness{Token: passport.Token{ID: "t", Grant: "g"}, Standing: passport.Standing{Grant: passport.Grant{ID: "g"}}}
	for name, c := range map[string]struct {
		during func(*committed) uint64 // what happens between the beginning of a reading and its end
		kept   bool
	}{
		"quiet": {func(c *committed) uint64 { return look(c) }, true},
		"a commit begins": {func(c *committed) uint64 {
			defer c.begin()
			return look(c)
		}, false},
		"a commit ends": {func(c *committed) uint64 {
			c.begin()
			defer c.end(nil, true)
			return look(c)
		}, false},
		"a whole commit": {func(c *committed) uint64 {
			at := look(c)
			c.begin()
			c.end(nil, true)
			return at
		}, false},
	} {
		known := newCommitted()
		known.put(c.during(known), read, make([]passport.Balance, 1))
		if _, _, ok := known.get("t"); ok != c.kept {
			t.Errorf("%s: kept is %v, want %v", name, ok, c.kept)
		}
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
