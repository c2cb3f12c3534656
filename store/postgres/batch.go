package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

const sqlApply = `SELECT h_res, h_got, s_res, b_g, b_seq, b_number, b_status, m_id, m_month, m_number, g_up, b_up, g_member
	FROM apply_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

// What apply_batch says of a hold.
const (
	resRefused  = 0 // by the money or calls left on its path
	resGranted  = 1
	resFound    = 2 // it had been committed when it was sent before, and still counts
	resUnopened = -1
	resStopped  = -2
	resFenced   = -3
	resTaken    = -4
	resNotLive  = -5
	resNoDetail = -6
)

// batch is what one apply_batch is told and what it answers. Its columns are apply_batch's parameters of the same names.
type batch struct {
	holds   []passport.Hold
	settles []passport.Settlement
	grants  []passport.GrantID // distinct, sorted: what hG and sG count from 1

	hG, sG []int32
	family bool // some of the grants may have been narrowed from others
	answer answer

	results []result // of holds, where the batch has keys; else they are worked out of answer
}

type answer struct {
	hRes     []int16
	hGot     []int64
	sRes     []int16
	bG       []int32
	bSeq     []int64
	bNumber  []int64 // six for each budget: cap, settled, held, calls cap, calls, end
	bStatus  []string
	balances []passport.Balance // of bNumber; they move as the holds are gone through
	gUp      []int32            // of each grant, and behind those of the batch of those above them: which it was narrowed from; 0: none
	gMember  []string           // of each of those grants: whose monthly limits its calls count on, empty for the owner
	bUp      []int64            // of each budget, if there is one above: its row for the detail there; 0: there is but the total
	top, end []int              // of each grant: where its budgets begin and end in balances

	mID     []string
	mMonth  []int64
	mNumber []int64            // four for each month of a ceiling: cap (-1: not set), earlier, settled, held
	months  []passport.Ceiling // of those that are set; they move as the balances do
}

// newBatch makes a batch of holds and settlements. No id may be in it twice.
func newBatch(holds []passport.Hold, settles []passport.Settlement) *batch {
	b := &batch{holds: holds, settles: settles}
	for _, h := range holds {
		b.grants = append(b.grants, h.Grant)
	}
	for _, s := range settles {
		b.grants = append(b.grants, s.Grant)
	}
	slices.Sort(b.grants)
	b.grants = slices.Compact(b.grants)
	for _, h := range holds {
		b.hG = append(b.hG, b.index(h.Grant))
	}
	for _, s := range settles {
		b.sG = append(b.sG, b.index(s.Grant))
	}
	return b
}

func (b *batch) index(g passport.GrantID) int32 {
	i, _ := slices.BinarySearch(b.grants, g)
	return int32(i + 1)
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// run sends the batch, as this instance at this epoch, and reads the answer. retry: it may have been committed before.
func (b *batch) run(ctx context.Context, on querier, owner string, epoch int64, retry bool) error {
	a := answer{}
	args := append([]any{owner, epoch, retry, texts(b.grants)}, b.holdArgs()...)
	err := on.QueryRow(ctx, sqlApply, append(append(args, b.settleArgs()...), b.family, b.credentials())...).
		Scan(&a.hRes, &a.hGot, &a.sRes, &a.bG, &a.bSeq, &a.bNumber, &a.bStatus, &a.mID, &a.mMonth, &a.mNumber, &a.gUp, &a.bUp, &a.gMember)
	if err != nil {
		return err
	}
	if len(a.hRes) != len(b.holds) || len(a.hGot) != len(b.holds) || len(a.sRes) != len(b.settles) || len(a.bNumber) != 6*len(a.bG) ||
		len(a.bSeq) != len(a.bG) || len(a.bStatus) != len(a.bG) || len(a.mMonth) != len(a.mID) || len(a.mNumber) != 4*len(a.mID) ||
		len(a.gUp) < len(b.grants) || len(a.gMember) != len(a.gUp) || len(a.bUp) != len(a.bG) {
		return errors.New("apply_batch answered in another shape than it was asked")
	}
	a.read(len(a.gUp))
	b.answer = a
	return nil
}

func texts[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

func (b *batch) holdArgs() []any {
	n := len(b.holds)
	id, provider, model, tariff := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	detail := make([]int32, n)
	amount, least, at, stream, month := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, h := range b.holds {
		id[i], provider[i], model[i], tariff[i] = string(h.ID), string(h.Provider), h.Model, h.Tariff
		detail[i] = int32(h.Detail)
		amount[i], least[i], at[i], stream[i] = int64(h.Amount), int64(h.Least), store.Micros(h.At), store.Bit(h.Stream)
		month[i] = int64(passport.MonthOf(h.At))
	}
	return []any{id, ints(b.hG), detail, amount, least, at, stream, provider, model, tariff, make([]string, n), month} // h_tail is not read any more (migration 00015)
}

// credentials are the keys that the holds are lent. Never NULL, which says that they are not known.
func (b *batch) credentials() []string {
	out := make([]string, len(b.holds))
	for i, h := range b.holds {
		out[i] = string(h.Credential)
	}
	return out
}

// ints is never NULL, which an empty slice of pgx's would be.
func ints(in []int32) []int32 { return append([]int32{}, in...) }

func (b *batch) settleArgs() []any {
	id, why := make([]string, len(b.settles)), make([]string, len(b.settles))
	number := make([]int64, 0, 19*len(b.settles))
	for i, s := range b.settles {
		u := s.Usage
		id[i], why[i] = string(s.ID), string(s.Why)
		number = append(number, int64(s.Actual), store.Bit(s.Reached), store.Micros(s.At), store.Bit(u.Known),
			u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.CacheAudio, u.CacheImage,
			u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.Searches, u.FileSearches, u.AudioSeconds)
	}
	return []any{id, ints(b.sG), why, number}
}

// read makes balances of the numbers.
func (a *answer) read(grants int) {
	a.top, a.end = make([]int, grants+1), make([]int, grants+1)
	for i, g := range a.bG {
		n := a.bNumber[6*i:]
		a.balances = append(a.balances, passport.Balance{Cap: passport.Money(n[0]), Settled: passport.Money(n[1]), Held: passport.Money(n[2]),
			CallsCap: n[3], Calls: n[4]})
		if a.bSeq[i] == 0 {
			a.top[g] = i
		}
		a.end[g] = i + 1
	}
	for i, id := range a.mID {
		if n := a.mNumber[4*i:]; n[0] >= 0 {
			a.months = append(a.months, passport.Ceiling{ID: passport.CeilingID(id), Month: passport.Month(a.mMonth[i]), Cap: passport.Money(n[0]),
				Earlier: passport.Money(n[1]), Settled: passport.Money(n[2]), Held: passport.Money(n[3])})
		}
	}
}

// ceilings are the months on the path of a hold: the person's, then the provider's, then the key's.
func (a *answer) ceilings(h passport.Hold, g int32) (out []*passport.Ceiling) {
	if len(a.months) == 0 {
		return nil
	}
	for _, id := range h.Ceilings(store.PayerOf(a.gMember[g-1])) {
		for i := range a.months {
			if m := &a.months[i]; m.ID == id && m.Month == passport.MonthOf(h.At) {
				out = append(out, m)
			}
		}
	}
	return out
}

// each says of every hold, in order, what it got or why not. The balances are those of its turn, as apply_batch went through them.
func (b *batch) each(tell func(i int, held passport.Held, err error)) {
	for i, r := range b.results {
		tell(i, r.held, r.err)
	}
	if b.results != nil {
		return
	}
	for i := range b.holds {
		held, err := b.hold(i)
		tell(i, held, err)
	}
}

func (b *batch) hold(i int) (passport.Held, error) {
	a, h, g := &b.answer, b.holds[i], b.hG[i]
	switch a.hRes[i] {
	case resFenced:
		return passport.Held{}, notHeld(errFenced)
	case resStopped:
		return passport.Held{}, store.Stopped()
	case resTaken:
		return passport.Held{}, store.Exists("reservation")
	case resUnopened:
		return passport.Held{}, errUnopened
	}
	if a.end[g] == 0 {
		return passport.Held{}, fmt.Errorf("apply_batch answered %d for a grant without budgets", a.hRes[i])
	}
	path := a.path(h, g)
	months := a.ceilings(h, g)
	switch a.hRes[i] {
	case resGranted:
		for _, p := range path {
			p.on.Held += passport.Money(a.hGot[i])
			p.on.Calls++
		}
		for _, m := range months {
			m.Held += passport.Money(a.hGot[i])
		}
		return heldOn(a.hGot[i], budgetsOf(path), values(months)), nil
	case resFound:
		return heldOn(a.hGot[i], budgetsOf(path), values(months)), nil
	case resNotLive:
		return passport.Held{}, a.notLive(h, g)
	case resNoDetail:
		return passport.Held{}, store.NoDetail(h)
	case resRefused:
		amount, err := store.Admit(h, budgetsOf(path))
		if err == nil {
			_, err = store.AdmitCeilings(h, amount, budgetsOf(path), values(months))
		}
		return passport.Held{}, cmp.Or(err, error(problem.New(problem.Internal, "the database refused a hold that fits")))
	default:
		return passport.Held{}, fmt.Errorf("apply_batch answered %d", a.hRes[i])
	}
}

// rung is one budget on the path of a hold.
type rung struct {
	on   *passport.Balance
	up   int
	part bool
}

// path are the budgets that a hold is on, from the grant that calls up. A detail that there is not has no row.
func (a *answer) path(h passport.Hold, g int32) (out []rung) {
	at := 0
	if several := a.end[g]-a.top[g] > 1; several && 1+h.Detail < a.end[g]-a.top[g] {
		at = 1 + h.Detail
	}
	for up := 0; a.end[g] > 0; up++ {
		top := a.top[g]
		out = append(out, rung{&a.balances[top], up, false})
		if at > 0 {
			out = append(out, rung{&a.balances[top+at], up, true})
		}
		if a.gUp[g-1] == 0 || up > passport.MaxDelegation {
			break
		}
		g, at = a.gUp[g-1], int(a.bUp[top+at])
	}
	return out
}

// notLive says which grant, of the one that calls and those above it, is not in use.
func (a *answer) notLive(h passport.Hold, g int32) error {
	own := true
	for {
		state, end := passport.GrantState(a.bStatus[a.top[g]]), a.bNumber[6*a.top[g]+5]
		switch {
		case own && (a.gUp[g-1] == 0 || state != passport.GrantActive || end <= store.Micros(h.At)):
			return store.NotLive(state, end, h)
		case a.gUp[g-1] == 0 || state != passport.GrantActive || end <= store.Micros(h.At):
			return store.NotLiveAbove(state, end, h)
		}
		g, own = a.gUp[g-1], false
	}
}

func budgetsOf(path []rung) []store.Budget {
	out := make([]store.Budget, len(path))
	for i, r := range path {
		out[i] = store.Budget{Balance: *r.on, Up: r.up, Part: r.part}
	}
	return out
}

// heldOn tells of a hold whose amount is on every row of its path.
func heldOn(got int64, path []store.Budget, months []passport.Ceiling) passport.Held {
	held := passport.Held{Amount: passport.Money(got), Left: store.LeftOn(0, path, months)}
	held.Total, held.Detail = store.Own(path)
	return held
}

func values[T any](in []*T) []T {
	out := make([]T, len(in))
	for i, p := range in {
		out[i] = *p
	}
	return out
}

var (
	errFenced   = errors.New("this instance's lease has ended")
	errUnopened = errors.New("the grant has no budget")
)
