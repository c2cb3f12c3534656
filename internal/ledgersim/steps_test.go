package ledgersim_test

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
)

// step does one thing, lets some time pass, and looks at everything.
func (w *world) step(ctx context.Context) {
	kinds := 100
	if w.only != nil {
		kinds = 85 // what goes wrong is decided
	}
	switch n := w.rng.IntN(kinds); {
	case n < 30:
		w.begin(ctx)
	case n < 50:
		w.send()
	case n < 65:
		w.finish(ctx)
	case n < 69:
		w.giveBack(ctx)
	case n < 71:
		w.leave()
	case n < 74:
		w.again(ctx)
	case n < 77:
		w.afterTheFact(ctx)
	case n < 83:
		w.command(ctx)
	case n < 85:
		w.stopAll(ctx)
	case n < 91:
		w.trouble()
	case n < 93:
		w.crash(ctx)
	case n < 95:
		w.disk.dieIn(1 + w.rng.IntN(12))
		w.say("the disk will die")
	case n < 96:
		w.restart(ctx)
	case n < 98:
		w.skew += time.Duration(w.rng.Int64N(int64(4*time.Minute))) - 2*time.Minute
		w.say("the clock is off by %s", w.skew)
	default:
		w.say("a minute passes")
		w.pass(time.Minute)
	}
	if w.wrong != nil {
		return
	}
	if w.chance(0.7) {
		w.pass(time.Duration(w.rng.Int64N(int64(2 * time.Millisecond))))
	}
	if w.disk.isDead() {
		w.say("the disk has died")
		w.crash(ctx)
		return
	}
	w.answers()
	w.told()
	w.look(ctx)
}

// trouble makes the disk worse, or well again.
func (w *world) trouble() {
	f := healthy()
	f.noSync = w.bend.noSync
	switch w.rng.IntN(7) {
	case 0:
		f.room = w.rng.IntN(60_000)
	case 1:
		f.badWrite = 0.3
	case 2:
		f.badSync = 0.5
	case 3:
		f.badSync = 1
	case 4:
		f.slow = 40 * time.Millisecond
	}
	w.say("disk: %+v", f)
	w.disk.set(f)
}

// calm is what must come true once faults have stopped: every hold resolves, and what is left of a cap can be spent.
func (w *world) calm(ctx context.Context) {
	w.say("calm")
	f := healthy()
	f.noSync = w.bend.noSync
	w.disk.set(f)
	w.had = w.disk.well() || w.had
	w.pass(5 * time.Second)
	if w.disk.isDead() {
		w.crash(ctx)
	}
	w.answers()
	for _, c := range w.calls {
		w.cut(ctx, c)
	}
	w.pass(5 * time.Second)
	w.told()
	w.look(ctx)
	for _, a := range w.accounts {
		for i, b := range a.seen {
			if b.Held != 0 {
				w.fail("grant %s budget %d still holds %s, and no call is open", a.grant, i, b.Held)
			}
		}
	}
	if err := w.store.Stop(ctx, false, w.event("")); err != nil {
		w.fail("resume on a good disk: %w", err)
	}
	w.stopped = nil
	for _, a := range w.accounts {
		if w.wrong == nil {
			w.spend(ctx, a)
		}
	}
	if w.wrong == nil {
		w.restart(ctx)
	}
	if w.wrong == nil {
		w.audit(ctx)
	}
}

// audit reads the files as `aipassport ledger verify` does, and compares what a call would be told with what the owner is.
func (w *world) audit(ctx context.Context) {
	v, err := sqlite.Verify(ctx, sqlite.Options{Path: filepath.Join(w.dir, database), VFS: w.disk.name})
	if err != nil || len(v.Wrong) > 0 {
		w.fail("verify: %v %w", v.Wrong, err)
	}
	for _, a := range w.accounts {
		live, err := w.store.Liveness(ctx, a.token)
		if err != nil {
			w.fail("look at grant %s on a good disk: %w", a.grant, err)
		}
		s, err := w.store.Standing(ctx, a.grant)
		if err != nil || !slices.Equal(path(s), path(live.Standing)) {
			w.fail("grant %s: calls are told %+v, the owner %+v, %w", a.grant, path(live.Standing), path(s), err)
		}
		w.recorded(ctx, a)
	}
}

// recorded checks what calls cost whose end was told to a broker that wrote all it had before it stopped: the whole bill, above the hold too,
// and late too. Of one above its hold there is the event that its grant was frozen.
func (w *world) recorded(ctx context.Context, a *account) {
	all, err := w.store.Reservations(ctx, a.grant, "", 1000)
	events, err2 := w.store.EventsOf(ctx, a.grant, 1000)
	if err != nil || err2 != nil {
		w.fail("list the calls of grant %s on a good disk: %w, %w", a.grant, err, err2)
	}
	for _, c := range w.calls {
		if c.a != a || c.toldIn != w.stopsIn || c.toldIn == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(r passport.Reservation) bool { return r.ID == c.final.ID })
		if i < 0 || all[i].Actual != c.final.Actual && !c.looked {
			w.fail("I4: call %d was told to cost %s, and does not", c.n, c.final.Actual)
		}
		frozen := passport.EventID(string(c.final.ID) + ":frozen:" + string(a.grant))
		if w.wrong == nil && all[i].Actual > all[i].Amount && !slices.ContainsFunc(events, func(ev passport.Event) bool { return ev.ID == frozen }) {
			w.fail("I4: call %d cost %s of %s held, and nobody was told", c.n, all[i].Actual, all[i].Amount)
		}
	}
}

// reach is the smallest call that there is, in money: a hundred bytes to the cheaper model of a provider, 256 tokens back.
const reach = 3_000

// spend uses up what is left of a grant that can be used, and says whether nine tenths of it could be.
func (w *world) spend(ctx context.Context, a *account) {
	live, err := w.store.Liveness(ctx, a.token)
	if err != nil {
		w.fail("look at grant %s on a good disk: %w", a.grant, err)
		return
	}
	if live.Standing.Grant.Live(w.now()) != nil || live.Standing.Total.CallsLeft() == 0 {
		return
	}
	a.terms = maybe[terms]{termsOf(live.Standing.Grant)}
	for detail, d := range live.Standing.Grant.Details {
		before := left(live.Standing, detail)
		for w.wrong == nil {
			w.pass(time.Minute) // the rate is not the question
			c := w.call(a, detail, d.Provider)
			c.ask = passport.Call{Provider: d.Provider, Kind: passport.KindChat, Model: c.ask.Model, Uses: c.ask.Uses, BodyBytes: 100, Parts: 1, Choices: 1}
			w.ask(ctx, c, time.Minute)
			w.pass(10 * time.Millisecond)
			w.answers()
			if c.err != nil {
				w.spent(ctx, a, detail, before, c.err)
				break
			}
			c.sent, c.owed = true, c.rsv.Amount
			w.settle(ctx, c, passport.Broken)
		}
	}
	w.pass(time.Second)
	w.look(ctx)
}

// spent says whether a grant that refuses has a reason to.
func (w *world) spent(ctx context.Context, a *account, detail int, before passport.Money, refusal error) {
	live, err := w.store.Liveness(ctx, a.token)
	if err != nil {
		w.fail("look at grant %s on a good disk: %w", a.grant, err)
		return
	}
	s := live.Standing
	switch problem.KindOf(refusal) {
	case problem.GrantEnded:
		if s.Grant.Live(w.now()) == nil {
			w.fail("grant %s lives and is refused: %w", a.grant, refusal)
		}
	case problem.CallsSpent:
		if s.Total.CallsLeft() > 0 && (detail >= len(s.Details) || s.Details[detail].CallsLeft() > 0) {
			w.fail("grant %s has calls left and is refused: %w", a.grant, refusal)
		}
	case problem.BudgetSpent:
		if now := left(s, detail); now > max(before/10, 4*reach) {
			w.fail("grant %s detail %d: of %s that were left %s cannot be spent", a.grant, detail, before, now)
		}
	default:
		w.fail("grant %s detail %d: %w", a.grant, detail, refusal)
	}
}

func left(s passport.Standing, detail int) passport.Money {
	return min(s.Total.Left(), s.Details[detail].Left())
}
