package store

import (
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// CheckHold says what keeps a hold from being asked at all, as Invalid. It bounds every amount, so that sums cannot overflow.
func CheckHold(h passport.Hold) error {
	switch {
	case h.ID == "" || h.Grant == "":
		return problem.New(problem.Invalid, "a hold needs an id and a grant")
	case h.Detail < 0 || h.Detail >= passport.MaxDetails:
		return NoDetail(h)
	case h.Amount < 0 || h.Amount > passport.MaxMoney:
		return problem.New(problem.Invalid, "a hold is from $0 to %s", passport.MaxMoney)
	case h.Least < 0 || h.Least > h.Amount:
		return problem.New(problem.Invalid, "the least of a hold is from $0 to its amount")
	}
	return nil
}

// NoDetail says that the grant has no such detail, as Invalid.
func NoDetail(h passport.Hold) error {
	return problem.New(problem.Invalid, "grant %s has no detail %d", h.Grant, h.Detail)
}

// Budget is one row on the path of a hold: the total of a grant, or behind it the part of the detail where the grant has several. First
// come those of the grant that calls, then those of each grant above it (passport.Grant.Above).
type Budget struct {
	passport.Balance
	Up   int  // 0: of the grant that calls; 1: of the one that it was narrowed from; and so on
	Part bool // of the detail
}

// Own are the balances of the grant that calls on a path: its total, and its detail's, which is the same where it has one.
func Own(path []Budget) (total, detail passport.Balance) {
	if len(path) > 1 && path[1].Up == 0 {
		return path[0].Balance, path[1].Balance
	}
	return path[0].Balance, path[0].Balance
}

// Admit decides how much a hold gets of the budgets on its path: the amount asked, or all that is left if that is at least the least.
// Errors: CallsSpent, BudgetSpent; the detail names the budget that was too small, of one above the grant without its amounts, which are
// another app's business; then the cause is a passport.Short.
func Admit(h passport.Hold, path []Budget) (passport.Money, error) {
	amount := h.Amount
	for _, b := range path {
		left := b.Left()
		switch {
		case b.CallsLeft() < 1 && b.Up == 0:
			return 0, problem.New(problem.CallsSpent, "all %d calls of the grant%s are used up", b.CallsCap, part(h, b))
		case b.CallsLeft() < 1:
			return 0, problem.New(problem.CallsSpent, "all calls of %s%s are used up", above(b), part(h, b))
		case left >= h.Least && (left > 0 || h.Amount == 0):
			amount = min(amount, left)
		case b.Up == 0:
			return 0, problem.Wrap(passport.Lacks{More: h.Amount - left}, problem.BudgetSpent, "%s of the %s of the grant%s is left, and the call could cost %s at worst%s",
				left, b.Cap, part(h, b), h.Amount, least(h))
		default:
			return 0, problem.Wrap(passport.Short{Left: left}, problem.BudgetSpent, "%s%s has less left than the call could cost at worst, %s%s",
				above(b), part(h, b), h.Amount, least(h))
		}
	}
	return amount, nil
}

// above names a grant above the one that calls.
func above(b Budget) string {
	if b.Up == 1 {
		return "the grant that this one was passed on from"
	}
	return "a grant that this one's was passed on from"
}

// NotLiveAbove says why no hold may be made below a grant in this state and with this end, as GrantEnded or GrantPaused.
func NotLiveAbove(state passport.GrantState, end int64, h passport.Hold) error {
	err := NotLive(state, end, h)
	if problem.KindOf(err) == problem.GrantPaused {
		return problem.New(problem.GrantPaused, "a grant that this one was passed on from is paused by its owner")
	}
	return problem.New(problem.KindOf(err), "a grant that this one was passed on from has ended")
}

// NotLive says why no hold may be made on a grant in this state and with this end, as GrantEnded or GrantPaused. A grant that passport
// finds live after all is refused too: this is asked only on refusal.
func NotLive(state passport.GrantState, end int64, h passport.Hold) error {
	if state == StatusStopped && end > Micros(h.At) {
		return Stopped()
	}
	if state == StatusStopped {
		state = passport.GrantActive
	}
	g := passport.Grant{ID: h.Grant, State: state, ExpiresAt: TimeOf(end)}
	if err := g.Live(TimeOf(Micros(h.At))); err != nil {
		return err
	}
	return NotOpen(h.Grant)
}

// part names the part of a grant that a budget is.
func part(h passport.Hold, b Budget) string {
	if !b.Part {
		return ""
	}
	return " for " + h.Provider.Title()
}

func least(h passport.Hold) string {
	if h.Least == h.Amount || h.Least == 0 {
		return ""
	}
	return ", " + h.Least.String() + " with the shortest answer"
}

// CheckSettlement says what keeps a settlement from being queued, as Invalid.
func CheckSettlement(s passport.Settlement) error {
	if s.ID == "" || s.Actual < 0 {
		return problem.New(problem.Invalid, "a settlement needs an id and an actual from $0")
	}
	return nil
}

// MostActual bounds what one settlement records. passport.Cost says MaxMoney+1 for all that is dearer.
const MostActual = passport.MaxMoney + 1

// clip keeps a note within its bound: a model's name comes from outside.
func clip(note string) string { return clipTo(note, passport.MaxNote) }

func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// AdjustedEvent tells that a call which recovery had charged in full turned out cheaper, or dearer.
func AdjustedEvent(s passport.Settlement, g passport.GrantID, amount passport.Money) passport.Event {
	way := "lowered"
	if s.Actual > amount {
		way = "raised"
	}
	return passport.Event{ID: passport.EventID(s.ID + ":adjusted"), Kind: passport.CallAdjusted, At: s.At, Actor: "broker",
		Grant: g, Note: way + " to " + s.Actual.String() + " from " + amount.String() + " charged, " + string(s.Why)}
}

// FrozenEvent tells a bill above its hold.
func FrozenEvent(s passport.Settlement, g passport.GrantID, amount passport.Money) passport.Event {
	return passport.Event{ID: passport.EventID(string(s.ID) + ":frozen:" + string(g)), Kind: passport.GrantFrozen, At: s.At, Actor: "broker",
		Grant: g, Note: "the provider billed " + s.Actual.String() + " for a call that held " + amount.String()}
}

// ChargedEvent tells that recovery charged a hold whose outcome is unknown.
func ChargedEvent(r passport.Reservation) passport.Event {
	return passport.Event{ID: passport.EventID(r.ID + ":charged"), Kind: passport.CallCharged, At: r.EndedAt, Actor: "broker",
		Grant: r.Grant, Note: clip("charged " + r.Amount.String() + ", outcome unknown, for " + r.Model)}
}

// AdjustSwept says whether a settlement that comes after recovery charged its hold corrects the charge: once, to less, or to a bill above
// the hold, which freezes as one in time does. A call that never left is given back, also where it had held nothing.
func AdjustSwept(r passport.Reservation, s passport.Settlement) bool {
	return r.State == passport.ReservationSwept && (s.Actual != r.Amount || !s.Reached)
}
