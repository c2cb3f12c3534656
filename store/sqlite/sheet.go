package sqlite

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

const (
	sqlBudgets = `SELECT cap, settled, held, calls_cap, calls, seq, status, expires_at, last, parent_id, parent_seq, member FROM budget WHERE grant_id = ?1 ORDER BY seq`
	sqlWrite   = `UPDATE budget SET held = ?3, settled = ?4, calls = ?5, last = ?6 WHERE grant_id = ?1 AND seq = ?2`
	sqlSwitch  = `SELECT EXISTS (SELECT 1 FROM setting WHERE name = '` + store.StoppedSetting + `'), EXISTS (SELECT 1 FROM ceiling),
		EXISTS (SELECT 1 FROM ceiling WHERE id >= '` + passport.OneKeyCeiling + `' AND id < 'credential;')`
)

// sheet is the budgets that the jobs of a transaction move: each is written once in it, however many calls are on it.
// What a transaction leaves on it is what that committed, so the next one need not read it again: the writer alone changes budgets, and no
// other process does. Whatever else reads or changes budgets in the transaction (a step of the control plane, a late settlement, a
// freeze, a mark that is passed) comes after flush, and what may have changed them is followed by forget, as is a transaction that failed or
// whose outcome is unknown.
type sheet struct {
	grants            map[string]*account
	dirty             []*account // in the order of their first move
	switched          bool       // the three below were read
	stopped, ceilings bool       // all apps are stopped; some ceiling is set
	keyed             bool       // one over a single key is
}

// account is a grant's budgets, the total first.
type account struct {
	grant   string
	payer   passport.Payer // whose monthly limits its calls count on
	status  passport.GrantState
	end     int64
	budgets []passport.Balance
	last    string // its newest call; with the total, the others have none
	moved   bool
	parent  string // the grant that it was narrowed from; empty: none
	up      []int  // of each budget, if there is a parent: the parent's that its calls count on besides the total; 0: none
}

// maxSheet bounds the grants whose budgets are kept for the next transaction, about 300 bytes each.
const maxSheet = 16_384

// trim is called between transactions.
func (s *sheet) trim() {
	if len(s.grants) > maxSheet {
		s.forget()
	}
}

func (s *sheet) forget() {
	clear(s.grants)
	s.dirty, s.switched = s.dirty[:0], false
}

// account reads a grant's budgets, unless they are on the sheet. None: it was never approved, or is unknown.
func (h *hot) account(grant string) (*account, error) {
	if a := h.sheet.grants[grant]; a != nil {
		return a, nil
	}
	a := &account{grant: grant, budgets: make([]passport.Balance, 0, 2)}
	if err := bind(h.budgets).text(grant).err; err != nil {
		return nil, err
	}
	for h.budgets.Step() {
		if len(a.budgets) == 0 {
			a.status, a.end, a.last = stateOf(h.budgets.ColumnRawText(6)), h.budgets.ColumnInt64(7), h.budgets.ColumnText(8)
			a.parent, a.payer = h.budgets.ColumnText(9), store.PayerOf(h.budgets.ColumnText(11))
		}
		if a.parent != "" {
			a.up = append(a.up, int(h.budgets.ColumnInt64(10)))
		}
		a.budgets = append(a.budgets, balanceAt(h.budgets, 0))
	}
	if err := h.budgets.Reset(); err != nil {
		return nil, err
	}
	h.sheet.grants[grant] = a
	return a, nil
}

// switches reads what is set over all grants, unless that is on the sheet.
func (h *hot) switches() (stopped, ceilings bool, err error) {
	s := &h.sheet
	if s.switched {
		return s.stopped, s.ceilings, nil
	}
	if !h.switchSt.Step() {
		return false, false, fmt.Errorf("read what is set over all grants: %w", h.switchSt.Err())
	}
	s.stopped, s.ceilings, s.keyed = h.switchSt.ColumnInt64(0) != 0, h.switchSt.ColumnInt64(1) != 0, h.switchSt.ColumnInt64(2) != 0
	if err := h.switchSt.Reset(); err != nil {
		return false, false, err
	}
	s.switched = true
	return s.stopped, s.ceilings, nil
}

// path is the places of the budgets of a detail: the total's, and the detail's own where the grant has several.
func (a *account) path(detail int) []int {
	if len(a.budgets) > 1 {
		return []int{0, detail + 1}
	}
	return []int{0}
}

// rung is the budgets of one grant on the path of a hold: the total, and the part if there is one.
type rung struct {
	*account
	at []int
}

// above is what is above the budgets of a detail, the nearest first; nothing for most grants.
func (h *hot) above(a *account, detail int) (out []rung, err error) {
	for path := a.path(detail); a.parent != ""; {
		if len(out) >= passport.MaxDelegation {
			return nil, fmt.Errorf("grant %s is below itself: %w", a.grant, sqlite3.CONSTRAINT)
		}
		last := path[len(path)-1]
		if last >= len(a.up) {
			return nil, fmt.Errorf("grant %s has no budget %d: %w", a.grant, last, sqlite3.CONSTRAINT)
		}
		if path = []int{0}; a.up[last] > 0 {
			path = []int{0, a.up[last]}
		}
		if a, err = h.account(a.parent); err != nil {
			return nil, err
		}
		if last = path[len(path)-1]; last >= len(a.budgets) {
			return nil, fmt.Errorf("grant %s has no budget %d: %w", a.grant, last, sqlite3.CONSTRAINT)
		}
		out = append(out, rung{a, path})
	}
	return out, nil
}

// budgetsOn is the budgets of a path, from the grant that calls up.
func budgetsOn(a *account, detail int, above []rung) []store.Budget {
	path := a.path(detail)
	out := make([]store.Budget, 0, len(path)+2*len(above))
	for i, at := range path {
		out = append(out, store.Budget{Balance: a.budgets[at], Part: i > 0})
	}
	for up, r := range above {
		for i, at := range r.at {
			out = append(out, store.Budget{Balance: r.budgets[at], Up: up + 1, Part: i > 0})
		}
	}
	return out
}

// move moves money and calls on the budgets of a detail and on what is above. Error: the file is damaged. That no budget goes below
// nothing is the table's CHECK, when it is written.
func (h *hot) move(a *account, detail int, above []rung, held, settled passport.Money, calls int64) error {
	if err := h.moveOn(a, a.path(detail), held, settled, calls); err != nil {
		return err
	}
	for _, r := range above {
		if err := h.moveOn(r.account, r.at, held, settled, calls); err != nil {
			return err
		}
	}
	return nil
}

func (h *hot) moveOn(a *account, path []int, held, settled passport.Money, calls int64) error {
	for _, i := range path {
		if i >= len(a.budgets) { // none, where a grant lost its budgets
			return fmt.Errorf("grant %s has no budget %d: %w", a.grant, i, sqlite3.CONSTRAINT)
		}
		b := &a.budgets[i]
		b.Held, b.Settled, b.Calls = b.Held+held, b.Settled+settled, b.Calls+calls
	}
	if !a.moved {
		a.moved = true
		h.sheet.dirty = append(h.sheet.dirty, a)
	}
	return nil
}

// moves says what was done to the budgets above a grant, for what is kept of them.
func moves(above []rung, held, settled passport.Money, calls int64) (out []move) {
	for _, r := range above {
		out = append(out, move{passport.GrantID(r.grant), r.at[len(r.at)-1] - 1, held, settled, calls})
	}
	return out
}

// flush writes what was moved.
func (h *hot) flush() error {
	for _, a := range h.sheet.dirty {
		last := a.last
		for seq, b := range a.budgets {
			if err := bind(h.write).text(a.grant).int(int64(seq)).int(int64(b.Held)).int(int64(b.Settled)).int(b.Calls).text(last).exec(); err != nil {
				return err
			}
			last = ""
		}
		a.moved = false
	}
	h.sheet.dirty = h.sheet.dirty[:0]
	return nil
}
