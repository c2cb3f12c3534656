package client

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of what is kept of what was fetched.
const (
	leastFresh   = time.Minute
	mostFresh    = 24 * time.Hour
	defaultFresh = 5 * time.Minute // where the headers say nothing
	maxKept      = 1000            // pages, of each kind
)

// freshness is how long an answer may be used (RFC 9111 §4.2.1, §5.2.2): 0 if it is not to be stored or not without asking again.
func freshness(h http.Header, now time.Time) time.Duration {
	age, _ := strconv.ParseUint(strings.TrimSpace(h.Get("Age")), 10, 31)
	for d := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `" `), 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(n-min(n, age)) * time.Second
		}
	}
	if text := h.Get("Expires"); text != "" {
		ends, err := http.ParseTime(text)
		if err != nil {
			return 0
		}
		made, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			made = now
		}
		return max(0, ends.Sub(made)-time.Duration(age)*time.Second)
	}
	return defaultFresh
}

// kept remembers what was read from good pages, each for its time, at most maxKept. Failures are not kept: the draft forbids that, and a
// client whose document was mended would wait.
type kept[V any] struct {
	mu   sync.Mutex // guards all
	all  map[string]entry[V]
	runs map[string]*run[V]
}

type entry[V any] struct {
	value V
	from  time.Time
	until time.Time
}

// run is a fetch that several wait for.
type run[V any] struct {
	over  chan struct{} // closed when what follows is there
	value V
	err   error
}

func newKept[V any]() *kept[V] {
	return &kept[V]{all: map[string]entry[V]{}, runs: map[string]*run[V]{}}
}

// get returns what is kept and was read at or after a time, or has it fetched, by one for all who ask at that time.
func (k *kept[V]) get(key string, now, notBefore time.Time, fetch func() (V, time.Duration, error)) (V, error) {
	k.mu.Lock()
	if e, ok := k.all[key]; ok && now.Before(e.until) && !e.from.Before(notBefore) && !now.Before(e.from) {
		k.mu.Unlock()
		return e.value, nil
	}
	if r, ok := k.runs[key]; ok {
		k.mu.Unlock()
		<-r.over
		return r.value, r.err
	}
	r := &run[V]{over: make(chan struct{})}
	k.runs[key] = r
	k.mu.Unlock()

	var fresh time.Duration
	r.err = problem.New(problem.Internal, "a fetch did not end")
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.runs, key)
		close(r.over)
		if r.err == nil {
			k.put(key, entry[V]{r.value, now, now.Add(min(max(fresh, leastFresh), mostFresh))}, now)
		}
	}()
	r.value, fresh, r.err = fetch()
	return r.value, r.err
}

// put keeps an entry. Where there is no room, those whose time is over go, and then the one whose time is over first.
func (k *kept[V]) put(key string, e entry[V], now time.Time) {
	if _, there := k.all[key]; !there && len(k.all) >= maxKept {
		first := ""
		for name, old := range k.all {
			if !now.Before(old.until) {
				delete(k.all, name)
			} else if first == "" || cmp.Or(old.until.Compare(k.all[first].until), cmp.Compare(name, first)) < 0 {
				first = name
			}
		}
		if len(k.all) >= maxKept {
			delete(k.all, first)
		}
	}
	k.all[key] = e
}
