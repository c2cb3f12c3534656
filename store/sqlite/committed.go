package sqlite

import (
	"slices"
	"sync"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Bounds of what is kept.
const (
	maxLive     = 131_072 // tokens, and no more grants than that: 1.5 KiB each with short texts
	maxLiveText = 4 << 10 // bytes of the texts of a grant that is kept
	maxTouched  = 16_384  // grants
	maxWaiting  = 1024    // readings
)

// committed is the committed state of the tokens and grants that calls were made with lately, so that a call need not read it from
// the file again. It is no cache that ages: this process is the only one that writes the file, the writer alone tells of each
// commit, and it does so before anybody is answered. So whoever looks after a revoke was acknowledged sees the revoke, as he
// would in the file; who looks while it is being committed sees the state before or after it, as he would in the file.
//
//   - What a hold or a settlement changed is carried over: they change balances and nothing else.
//   - After any other change, and after a commit whose outcome is unknown, nothing is kept, and all is read anew.
//   - What was read is kept only if no commit that ended since the reading began, nor one that is under way, touches its grant: it is
//     then what is committed, and no commit is carried over that the reading has seen already. Beside a commit that is under way it
//     waits for what that one has touched. Under load one always is: without that, what calls look at would hardly ever be kept.
type committed struct {
	mu         sync.Mutex // guards what follows
	committing bool
	commits    uint64 // ended
	tokens     map[passport.TokenID]liveToken
	grants     map[passport.GrantID]*liveGrant

	touched map[passport.GrantID]uint64 // the newest commit that moved a grant's budgets, of those after floor
	floor   uint64                      // what a reading saw that began before this commit is not kept
	waiting []reading                   // for the end of the commit that is under way; at most maxWaiting
}

// reading is what was read after so many commits, and perhaps more.
type reading struct {
	commits uint64
	live    passport.Liveness
	budgets []passport.Balance
}

type liveToken struct {
	token passport.Token
	grant *liveGrant
}

// liveGrant is a grant with its budgets, the total first. Only the budgets change, under the lock.
type liveGrant struct {
	grant   passport.Grant
	stopped bool
	budgets []passport.Balance
}

func newCommitted() *committed {
	return &committed{tokens: map[passport.TokenID]liveToken{}, grants: map[passport.GrantID]*liveGrant{}, touched: map[passport.GrantID]uint64{}}
}

// get returns what is committed, or else how many commits had ended before a reading of it, for put.
func (c *committed) get(id passport.TokenID) (l passport.Liveness, commits uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[id]
	if !ok {
		return l, c.commits, false
	}
	l.Token, l.Stopped = t.token, t.grant.stopped
	l.Standing = store.StandingOf(t.grant.grant, slices.Clone(t.grant.budgets))
	return l, 0, true
}

// put keeps what was read after so many commits, if it is still what is committed.
func (c *committed) put(commits uint64, l passport.Liveness, budgets []passport.Balance) {
	g := l.Standing.Grant
	if len(budgets) == 0 || len(g.AppName)+len(g.AppURL)+len(g.Reason)+len(g.Notes) > maxLiveText {
		return
	}
	r := reading{commits, l, slices.Clone(budgets)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.committing {
		c.keep(r)
	} else if len(c.waiting) < maxWaiting {
		c.waiting = append(c.waiting, r)
	}
}

// keep is called with mu held, while no commit is under way.
func (c *committed) keep(r reading) {
	g := r.live.Standing.Grant
	if r.commits < c.floor || c.touched[g.ID] > r.commits {
		return
	}
	if len(c.tokens) >= maxLive {
		c.clear() // all that is in use is back within a call each
	}
	live := c.grants[g.ID]
	if live == nil {
		live = &liveGrant{grant: g, stopped: r.live.Stopped, budgets: r.budgets}
		c.grants[g.ID] = live
	}
	c.tokens[r.live.Token.ID] = liveToken{r.live.Token, live}
}

// clear is called with mu held.
func (c *committed) clear() {
	clear(c.tokens)
	clear(c.grants)
}

// forget is called with mu held, after a commit that may have changed anything.
func (c *committed) forget() {
	c.clear()
	c.draw()
}

// draw is called with mu held: what began to be read before now is not kept.
func (c *committed) draw() {
	c.floor = c.commits
	clear(c.touched)
}

// begin is called by the writer before a commit, end after it with the jobs that it ran and whether all of it is in the file. Between
// the two nothing new is kept, and nobody has been answered.
func (c *committed) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committing = true
}

func (c *committed) end(jobs []*job, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committing = false
	c.commits++
	if !done {
		c.forget()
	} else {
		c.carry(jobs)
	}
	if len(c.touched) > maxTouched {
		c.draw()
	}
	for _, r := range c.waiting {
		c.keep(r)
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
}

// carry carries a commit over to what is kept.
func (c *committed) carry(jobs []*job) {
	for _, j := range jobs {
		switch {
		case j.err != nil: // refused or undone: it changed nothing
		case j.hold != nil:
			c.held(j.hold.Grant, j.hold.Detail, j.held)
			c.moved(j.opened.above)
		case j.settle != nil && j.moved != nil:
			c.moved(j.moved)
		case !j.keeps:
			c.forget()
		}
	}
}

// held notes the budgets of a hold as they are after it.
func (c *committed) held(id passport.GrantID, detail int, h passport.Held) {
	c.touched[id] = c.commits
	g := c.grants[id]
	if g == nil {
		return
	}
	g.budgets[0] = h.Total
	if len(g.budgets) > 1 {
		g.budgets[detail+1] = h.Detail
	}
}

// move is what a settlement did to the budgets of its hold, or a hold or a settlement to those of a grant above.
type move struct {
	grant         passport.GrantID
	detail        int // -1: the total alone
	held, settled passport.Money
	calls         int64
}

func (c *committed) moved(all []move) {
	for _, m := range all {
		c.touched[m.grant] = c.commits
		g := c.grants[m.grant]
		if g == nil {
			continue
		}
		for i := range g.budgets {
			if i == 0 || i == m.detail+1 {
				g.budgets[i].Held += m.held
				g.budgets[i].Settled += m.settled
				g.budgets[i].Calls += m.calls
			}
		}
	}
}
