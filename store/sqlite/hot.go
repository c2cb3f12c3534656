package sqlite

import (
	"context"
	"errors"

	"github.com/ncruces/go-sqlite3"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// The statements of every call, prepared once on the writer's connection. ?n is SQLite's own way to bind by number. None of
// them has IN, OR or RETURNING: for these SQLite builds a table in memory each time, which costs more than a second statement.
const (
	sqlReserve = `INSERT INTO reservation (id, grant_id, detail, provider, model, stream, tariff, state, amount, created_at, person_month, key_month, prev, credential_id, credential_month, member)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'held', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (id) DO NOTHING`
	sqlHeld = `SELECT grant_id, detail, amount, person_month, key_month, provider, credential_id, credential_month, member FROM reservation WHERE id = ?1 AND state = 'held'`
	sqlEnd  = `UPDATE reservation SET state = 'settled', actual = ?2, reached = ?3, why = ?4, usage_known = ?5, input = ?6, cache_read = ?7,
		cache_write = ?8, cache_write_1h = ?9, output = ?10, reasoning = ?11, ended_at = ?12, input_audio = ?13, input_image = ?14,
		cache_audio = ?15, cache_image = ?16, output_audio = ?17, output_image = ?18, searches = ?19, file_searches = ?20, audio_seconds = ?21
		WHERE id = ?1 AND state = 'held'`
	sqlReserved = `SELECT EXISTS (SELECT 1 FROM reservation WHERE id = ?1), EXISTS (SELECT 1 FROM setting WHERE name = '` + store.StoppedSetting + `')`
	sqlState    = `SELECT state, expires_at FROM grants WHERE id = ?1`

	// Only where somebody has set a ceiling.
	sqlCeiling = `SELECT c.cap, m.earlier, m.settled, m.held FROM ceiling c LEFT JOIN ceiling_month m ON m.id = c.id AND m.month = ?2 WHERE c.id = ?1`
	sqlTake    = `INSERT INTO ceiling_month (id, month, earlier, settled, held) VALUES (?1, ?2, 0, 0, ?3)
		ON CONFLICT (id, month) DO UPDATE SET held = held + excluded.held`
	sqlShift = `UPDATE ceiling_month SET held = held - ?3, settled = settled + ?4 WHERE id = ?1 AND month = ?2`
)

type hot struct {
	raw                                                 *sqlite3.Conn
	begin, commit, reserve, held, end, reserved, state  *sqlite3.Stmt
	budgets, write, switchSt, ceiling, take, shiftMonth *sqlite3.Stmt
	sheet                                               sheet
}

func prepareHot(raw *sqlite3.Conn) (*hot, error) {
	h := &hot{raw: raw, sheet: sheet{grants: map[string]*account{}}}
	for _, p := range []struct {
		into **sqlite3.Stmt
		sql  string
	}{
		{&h.begin, `BEGIN IMMEDIATE`}, {&h.commit, `COMMIT`}, {&h.reserve, sqlReserve}, {&h.held, sqlHeld}, {&h.end, sqlEnd}, {&h.reserved, sqlReserved}, {&h.state, sqlState},
		{&h.budgets, sqlBudgets}, {&h.write, sqlWrite}, {&h.switchSt, sqlSwitch}, {&h.ceiling, sqlCeiling}, {&h.take, sqlTake}, {&h.shiftMonth, sqlShift},
	} {
		st, _, err := raw.PrepareFlags(p.sql, sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return nil, errors.Join(err, h.close())
		}
		*p.into = st
	}
	return h, nil
}

func (h *hot) close() error {
	var errs []error
	for _, st := range []*sqlite3.Stmt{h.begin, h.commit, h.reserve, h.held, h.end, h.reserved, h.state,
		h.budgets, h.write, h.switchSt, h.ceiling, h.take, h.shiftMonth} {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

// hold checks, then writes. A refusal has written nothing.
func (h *hot) hold(ask passport.Hold) (passport.Held, *opened, error) {
	a, above, ceilings, amount, err := h.admit(ask)
	if err != nil {
		return passport.Held{}, nil, h.reason(ask, err)
	}
	took := takenOf(ask, a.payer, ceilings)
	err = bind(h.reserve).text(string(ask.ID)).text(string(ask.Grant)).int(int64(ask.Detail)).text(string(ask.Provider)).
		text(ask.Model).int(store.Bit(ask.Stream)).text(ask.Tariff).int(int64(amount)).int(store.Micros(ask.At)).
		int(int64(took.Person)).int(int64(took.Key)).text(a.last).text(string(ask.Credential)).int(int64(took.Own)).text(a.payer.Member()).exec()
	if err != nil {
		return passport.Held{}, nil, err
	}
	if h.raw.Changes() == 0 {
		return passport.Held{}, nil, store.Exists("reservation")
	}
	a.last = string(ask.ID)
	if err := h.move(a, ask.Detail, above, amount, 0, 1); err != nil {
		return passport.Held{}, nil, err
	}
	for _, c := range ceilings {
		if err := bind(h.take).text(string(c.ID)).int(int64(c.Month)).int(int64(amount)).exec(); err != nil {
			return passport.Held{}, nil, err
		}
	}
	path := budgetsOn(a, ask.Detail, above)
	o := &opened{grant: string(ask.Grant), detail: ask.Detail, amount: amount, took: took,
		above: moves(above, amount, 0, 1)}
	held := passport.Held{Amount: amount, Left: store.LeftOn(amount, path, ceilings)}
	held.Total, held.Detail = store.Own(path)
	return held, o, nil
}

// admit looks at the budgets and ceilings of a hold and decides what it gets.
func (h *hot) admit(ask passport.Hold) (a *account, above []rung, ceilings []passport.Ceiling, amount passport.Money, err error) {
	stopped, capped, err := h.switches()
	if err != nil {
		return nil, nil, nil, 0, err
	}
	if stopped {
		return nil, nil, nil, 0, store.Stopped()
	}
	if a, above, err = h.live(ask); err != nil {
		return nil, nil, nil, 0, err
	}
	path := budgetsOn(a, ask.Detail, above)
	amount, err = store.Admit(ask, path)
	if err != nil || !capped {
		return a, above, nil, amount, err
	}
	if ceilings, err = h.ceilings(ask, a.payer); err != nil {
		return nil, nil, nil, 0, err
	}
	amount, err = store.AdmitCeilings(ask, amount, path, ceilings)
	return a, above, ceilings, amount, err
}

// live reads the budgets of a hold's grant and what is above them, all of which must be in use.
func (h *hot) live(ask passport.Hold) (*account, []rung, error) {
	a, err := h.account(string(ask.Grant))
	if err != nil {
		return nil, nil, err
	}
	if len(a.budgets) == 0 {
		return nil, nil, h.unopened(ask)
	}
	if a.status != passport.GrantActive || a.end <= store.Micros(ask.At) {
		return nil, nil, store.NotLive(a.status, a.end, ask)
	}
	if ask.Detail >= max(1, len(a.budgets)-1) {
		return nil, nil, store.NoDetail(ask)
	}
	above, err := h.above(a, ask.Detail)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range above {
		if r.status != passport.GrantActive || r.end <= store.Micros(ask.At) {
			return nil, nil, store.NotLiveAbove(r.status, r.end, ask)
		}
	}
	return a, above, nil
}

// ceilings reads those that are set and on the path of a hold: the person's, then the provider's, then the key's.
func (h *hot) ceilings(ask passport.Hold, payer passport.Payer) ([]passport.Ceiling, error) {
	out := make([]passport.Ceiling, 0, 3)
	month := passport.MonthOf(ask.At)
	path := ask.Ceilings(payer)
	if !h.sheet.keyed {
		path = path[:2]
	}
	for _, id := range path {
		if err := bind(h.ceiling).text(string(id)).int(int64(month)).err; err != nil {
			return nil, err
		}
		if h.ceiling.Step() { // a month that has not begun is NULL, which reads as 0
			out = append(out, passport.Ceiling{ID: id, Month: month, Cap: passport.Money(h.ceiling.ColumnInt64(0)), Earlier: passport.Money(h.ceiling.ColumnInt64(1)),
				Settled: passport.Money(h.ceiling.ColumnInt64(2)), Held: passport.Money(h.ceiling.ColumnInt64(3))})
		}
		if err := h.ceiling.Reset(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// takenOf are the months that a hold takes from.
func takenOf(ask passport.Hold, payer passport.Payer, ceilings []passport.Ceiling) passport.Taken {
	took := passport.Taken{Payer: payer, Provider: ask.Provider, Credential: ask.Credential}
	for _, c := range ceilings {
		*took.Of(c.ID) = c.Month
	}
	return took
}

// stateOf spares the hot path an allocation.
func stateOf(text []byte) passport.GrantState {
	if string(text) == string(passport.GrantActive) {
		return passport.GrantActive
	}
	return passport.GrantState(text)
}

func balanceAt(st *sqlite3.Stmt, col int) passport.Balance {
	return passport.Balance{Cap: passport.Money(st.ColumnInt64(col)), Settled: passport.Money(st.ColumnInt64(col + 1)),
		Held: passport.Money(st.ColumnInt64(col + 2)), CallsCap: st.ColumnInt64(col + 3), Calls: st.ColumnInt64(col + 4)}
}

// unopened says why a grant has no budget: there is none, or it was never approved.
func (h *hot) unopened(ask passport.Hold) error {
	if err := bind(h.state).text(string(ask.Grant)).err; err != nil {
		return err
	}
	if h.state.Step() {
		state, end := passport.GrantState(h.state.ColumnText(0)), h.state.ColumnInt64(1)
		return errors.Join(h.state.Reset(), store.NotLive(state, end, ask))
	}
	if err := h.state.Reset(); err != nil {
		return err
	}
	return store.NotFound("grant")
}

// reason puts what outranks a refusal in its place: an id that is taken, then apps that are stopped.
func (h *hot) reason(ask passport.Hold, refusal error) error {
	if !refused(refusal) {
		return refusal
	}
	if err := bind(h.reserved).text(string(ask.ID)).err; err != nil {
		return err
	}
	var taken, stopped bool
	if h.reserved.Step() {
		taken, stopped = h.reserved.ColumnInt64(0) != 0, h.reserved.ColumnInt64(1) != 0
	}
	if err := h.reserved.Reset(); err != nil {
		return err
	}
	switch {
	case taken:
		return store.Exists("reservation")
	case stopped:
		return store.Stopped()
	default:
		return refusal
	}
}

// settle ends a hold and moves its money. It never refuses. Where it did more or less than that, moved is nil.
func (w *writer) settle(s passport.Settlement) (moved []move, err error) {
	h, o := w.hot, w.opened[s.ID]
	if o == nil {
		if o, err = h.open(s.ID); err != nil {
			return nil, err
		}
	}
	if o == nil {
		return nil, w.settleLate(s)
	}
	u := s.Usage
	if err := bind(h.end).text(string(s.ID)).int(int64(s.Actual)).int(store.Bit(s.Reached)).text(string(s.Why)).int(store.Bit(u.Known)).
		int(u.Input).int(u.CacheRead).int(u.CacheWrite).int(u.CacheWrite1h).int(u.Output).int(u.Reasoning).int(store.Micros(s.At)).
		int(u.InputAudio).int(u.InputImage).int(u.CacheAudio).int(u.CacheImage).int(u.OutputAudio).int(u.OutputImage).
		int(u.Searches).int(u.FileSearches).int(u.AudioSeconds).exec(); err != nil {
		return nil, err
	}
	if h.raw.Changes() == 0 { // closed since, behind our back
		return nil, w.settleLate(s)
	}
	a, err := h.account(o.grant)
	if err != nil {
		return nil, err
	}
	above, err := h.above(a, o.detail)
	if err != nil {
		return nil, err
	}
	calls := store.Bit(s.Reached) - 1
	if err := h.move(a, o.detail, above, -o.amount, s.Actual, calls); err != nil {
		return nil, err
	}
	moved = append(moves(above, -o.amount, s.Actual, calls), move{passport.GrantID(o.grant), o.detail, -o.amount, s.Actual, calls})
	for id, month := range o.took.Each {
		if err := bind(h.shiftMonth).text(string(id)).int(int64(month)).int(int64(o.amount)).int(int64(s.Actual)).exec(); err != nil {
			return nil, err
		}
	}
	if !o.took.None() {
		if err := store.TellPassedCeilings(context.Background(), w.queries, s.ID, o.took, s.At); err != nil {
			return nil, err
		}
	}
	if s.Actual <= o.amount {
		return moved, nil
	}
	return nil, w.beside(func() error {
		return store.FreezeGrant(context.Background(), w.queries, s, passport.GrantID(o.grant), o.amount)
	})
}

// settleLate is a settlement of what is not held any more.
func (w *writer) settleLate(s passport.Settlement) error {
	return w.beside(func() error { return store.SettleLate(context.Background(), w.queries, s) })
}

// beside runs what reads or writes budgets by statements of its own: it finds what was moved before it, and what it leaves is read anew.
func (w *writer) beside(step func() error) error {
	if err := w.hot.flush(); err != nil {
		return err
	}
	w.hot.sheet.forget()
	return step()
}

// opened is a hold that is open, as its settlement needs it.
type opened struct {
	grant  string
	detail int
	amount passport.Money
	took   passport.Taken
	above  []move // what it did to the budgets above its grant; not told again where it is read
}

// open reads a hold that is open; nil if there is none.
func (h *hot) open(id passport.ReservationID) (*opened, error) {
	if err := bind(h.held).text(string(id)).err; err != nil {
		return nil, err
	}
	found := h.held.Step()
	o := &opened{grant: h.held.ColumnText(0), detail: int(h.held.ColumnInt64(1)), amount: passport.Money(h.held.ColumnInt64(2)),
		took: passport.Taken{Person: passport.Month(h.held.ColumnInt64(3)), Key: passport.Month(h.held.ColumnInt64(4)), Provider: passport.Provider(h.held.ColumnText(5)),
			Credential: passport.CredentialID(h.held.ColumnText(6)), Own: passport.Month(h.held.ColumnInt64(7)), Payer: store.PayerOf(h.held.ColumnText(8))}}
	if err := h.held.Reset(); err != nil || !found {
		return nil, err
	}
	return o, nil
}

// binder binds parameters in order and keeps the first error.
type binder struct {
	st  *sqlite3.Stmt
	n   int
	err error
}

func bind(st *sqlite3.Stmt) binder { return binder{st: st} }

func (b binder) text(s string) binder {
	b.n++
	if b.err == nil {
		b.err = b.st.BindText(b.n, s)
	}
	return b
}

func (b binder) int(i int64) binder {
	b.n++
	if b.err == nil {
		b.err = b.st.BindInt64(b.n, i)
	}
	return b
}

func (b binder) exec() error {
	if b.err != nil {
		return b.err
	}
	return b.st.Exec()
}
