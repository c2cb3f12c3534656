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

// Admit decides how much a hold gets of the budgets on its path, the grant's total first: the amount asked, or all that is
// left if that is at least the least. Errors: CallsSpent, BudgetSpent; the detail names the budget that was too small.
func Admit(h passport.Hold, path ...passport.Balance) (passport.Money, error) {
	amount := h.Amount
	for i, b := range path {
		if b.CallsLeft() < 1 {
			return 0, problem.New(problem.CallsSpent, "all %d calls of the grant%s are used up", b.CallsCap, part(h, i))
		}
		left := b.Left()
		if left < h.Least || (left == 0 && h.Amount > 0) {
			return 0, problem.Wrap(passport.Lacks{More: h.Amount - left}, problem.BudgetSpent, "%s of the %s of the grant%s is left, and the call could cost %s at worst%s",
				left, b.Cap, part(h, i), h.Amount, least(h))
		}
		amount = min(amount, left)
	}
	return amount, nil
}

// NotLive says why no hold may be made on a grant in this state and with this end, as GrantEnded or GrantPaused. A grant that passport
// finds live after all is refused too: this is asked only on refusal.
func NotLive(state passport.GrantState, end int64, h passport.Hold) error {
	g := passport.Grant{ID: h.Grant, State: state, ExpiresAt: TimeOf(end)}
	if err := g.Live(TimeOf(Micros(h.At))); err != nil {
		return err
	}
	return NotOpen(h.Grant)
}

// part names the budget at a place of the path.
func part(h passport.Hold, i int) string {
	if i == 0 {
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
	return passport.Event{ID: passport.EventID(s.ID + ":frozen"), Kind: passport.GrantFrozen, At: s.At, Actor: "broker",
		Grant: g, Note: "the provider billed " + s.Actual.String() + " for a call that held " + amount.String()}
}

// ChargedEvent tells that recovery charged a hold whose outcome is unknown.
func ChargedEvent(r passport.Reservation) passport.Event {
	return passport.Event{ID: passport.EventID(r.ID + ":charged"), Kind: passport.CallCharged, At: r.EndedAt, Actor: "broker",
		Grant: r.Grant, Note: clip("charged " + r.Amount.String() + ", outcome unknown, for " + r.Model)}
}

// AdjustSwept says whether a settlement that comes after recovery charged its hold corrects the charge: once, to less, or to a bill above
// the hold, which freezes as one in time does.
func AdjustSwept(r passport.Reservation, s passport.Settlement) bool {
	return r.State == passport.ReservationSwept && s.Actual != r.Amount
}
