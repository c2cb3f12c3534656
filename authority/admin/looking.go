package admin

import (
	"context"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// looking is who looks at pages that move, and what they look at. Several who look at the same share what is read. Nothing runs
// for it but the requests themselves. The zero looking is empty.
type looking struct {
	mu     sync.Mutex                // guards all below
	by     map[string]int            // connections of a session
	of     map[passport.PersonID]int // connections of a person
	all    int                       // connections
	topics map[string]*topic         // as long as somebody looks
}

// enter takes a place for a connection of a person's session until leave is called. Error: Busy if all are taken.
func (l *looking) enter(session string, who passport.PersonID) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.by[session] >= LiveASession:
		return nil, problem.New(problem.Busy, "%d pages of this session move already", LiveASession)
	case l.of[who] >= LiveAPerson:
		return nil, problem.New(problem.Busy, "%d pages of this person move already", LiveAPerson)
	case l.all >= LiveInAll:
		return nil, problem.New(problem.Busy, "%d pages move already", LiveInAll)
	}
	if l.by == nil {
		l.by, l.of = map[string]int{}, map[passport.PersonID]int{}
	}
	l.by[session]++
	l.of[who]++
	l.all++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all--
		if l.by[session]--; l.by[session] == 0 {
			delete(l.by, session)
		}
		if l.of[who]--; l.of[who] == 0 {
			delete(l.of, who)
		}
	}, nil
}

// topic is what somebody looks at, until done is called.
func (l *looking) topic(name string) (t *topic, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		l.topics = map[string]*topic{}
	}
	t = l.topics[name]
	if t == nil {
		t = &topic{turn: make(chan struct{}, 1)}
		l.topics[name] = t
	}
	t.lookers++
	return t, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.lookers--; t.lookers == 0 {
			delete(l.topics, name)
		}
	}
}

// rest is how many times as long as a look took is the pause after it: the store has other things to do.
const rest = 20

// topic is what was read last.
type topic struct {
	lookers int           // guarded by looking.mu
	turn    chan struct{} // has room for one: who reads, or looks at the fields below
	body    []byte
	next    time.Time // from then on it is read again
}

// now returns what was read last, or reads it anew if that is old enough: a look at most liveEvery, and one that took long more seldom.
func (t *topic) now(ctx context.Context, clock func() time.Time, look func(context.Context) ([]byte, error)) ([]byte, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-t.turn }()
	begin := clock()
	if t.body != nil && begin.Before(t.next) {
		return t.body, nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveRead)
	defer cancel()
	body, err := look(ctx)
	if err != nil {
		return nil, err
	}
	end := clock()
	t.body, t.next = body, end.Add(max(liveEvery*4/5, rest*end.Sub(begin)))
	return body, nil
}
