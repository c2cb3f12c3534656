package sqlite

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// A settlement that brings a grant to 80 % of its cap writes an event in its transaction. To look at the balance with every settlement
// would cost each call a statement, so only those grants are looked at that may pass. A settlement costs no more than its hold, so
// before a balance can pass, some hold has seen settled and held together past the mark: from then on the
// grant is watched. (A bill above
// its hold looks by itself: store.FreezeGrant. So does a start: store.ChargeOrphans.)

// watch is which grants are looked at. Only the writer touches it.
type watch struct {
	on  map[passport.GrantID]struct{} // no more than have open holds
	off map[passport.GrantID]struct{} // that need it no more once the transaction is committed: one that fails is run again
}

func newWatch() watch {
	return watch{on: map[passport.GrantID]struct{}{}, off: map[passport.GrantID]struct{}{}}
}

// see notes a grant whose balance may pass.
func (w *watch) see(g passport.GrantID, b passport.Balance) {
	if store.MayPass(b) {
		w.on[g] = struct{}{}
		delete(w.off, g)
	}
}

func (w *watch) begin() { clear(w.off) }

func (w *watch) committed() {
	for g := range w.off {
		delete(w.on, g)
	}
}

// watchAbove notes the grants above a hold's whose balance may pass.
func (w *writer) watchAbove(above []move) {
	for _, m := range above {
		if a := w.hot.sheet.grants[string(m.grant)]; a != nil {
			w.watch.see(m.grant, a.budgets[0])
		}
	}
}

// passed tells what a grant has passed with a settlement, and what those above it have. With nothing held only a new hold can bring one
// further, which sees it again.
func (w *writer) passed(s passport.Settlement, moved []move) error {
	if err := w.passedBy(s, s.Grant); err != nil || len(moved) < 2 {
		return err
	}
	for _, m := range moved[:len(moved)-1] {
		if err := w.passedBy(s, m.grant); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) passedBy(s passport.Settlement, g passport.GrantID) error {
	if _, on := w.watch.on[g]; !on {
		return nil
	}
	if err := w.hot.flush(); err != nil {
		return err
	}
	b, err := store.TellPassed(context.Background(), w.queries, s.ID, g, s.At)
	if err == nil && (b.Held == 0 || !store.MayPass(b)) {
		w.watch.off[g] = struct{}{}
	}
	return err
}

// changed notes a grant whose caps may have come down to what it has spent and holds.
func (w *writer) changed(ctx context.Context, q *query.Queries, g passport.Grant) error {
	s, err := store.Standing(ctx, q, g.ID)
	if err == nil && s.Total.Held > 0 {
		w.watch.see(g.ID, s.Total)
	}
	return err
}
