package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// ShareRetry is what an app is told to wait whose running calls hold its share of a ceiling. When one of them ends is not known.
const ShareRetry = time.Second

// AdmitCeilings decides how much a hold gets of the ceilings on its path, after Admit has given it an amount of the grant's own
// budgets: that amount, or less if it is at least the least.
//
// A ceiling is shared by all apps, so of each an app may hold half of what the others' holds leave at most: after every hold at
// least as much is left as the grant itself holds there. What one app holds never keeps the others out, and no number of them can
// take all of it. The last of a ceiling is therefore reached in halves: a call whose least is above half of what is left is refused.
//
// Errors: BudgetSpent; Busy if the grant's own running calls are what is in the way. The detail names the ceiling, not its amounts:
// what else the owner pays for is not the app's business. The cause is a passport.Short.
func AdmitCeilings(h passport.Hold, amount passport.Money, path []Budget, ceilings []passport.Ceiling) (passport.Money, error) {
	for _, c := range ceilings {
		left, own := c.Left(), heldOn(c.ID, path)
		room := max(0, (left-own)/2)
		short := passport.Short{Left: left}
		switch {
		case left < h.Least || (left == 0 && h.Amount > 0):
			return 0, problem.Wrap(short, problem.BudgetSpent, "%s has less left than the call could cost at worst, %s%s", c.ID.Title(), h.Amount, least(h))
		case room >= h.Least && (room > 0 || h.Amount == 0):
			amount = min(amount, room)
		case own > 0 && (left+own)/2 >= h.Least:
			return 0, problem.Wrap(short, problem.Busy, "the running calls of this grant hold as much of %s as one app may hold at one time", c.ID.Title()).After(ShareRetry)
		default:
			return 0, problem.Wrap(short, problem.BudgetSpent, "the call could cost %s at worst%s, more than one app may hold at one time of what is left of %s",
				h.Amount, least(h), c.ID.Title())
		}
	}
	return amount, nil
}

// heldOn is what the running calls of a grant, and of all that it shares its root with, hold on a ceiling: all of them on the person's,
// those of the detail on the provider's and on that of the key in use, for a grant has one detail for a provider. Calls that run since last
// month count too, and those that run with a key that was in use before.
func heldOn(id passport.CeilingID, path []Budget) passport.Money {
	last := path[len(path)-1]
	if id.Person() && last.Part {
		last = path[len(path)-2]
	}
	return last.Held
}

// LeftOn is the smallest that is left on a path after a hold, whose amount is on its balances but not on its ceilings yet.
func LeftOn(amount passport.Money, path []Budget, ceilings []passport.Ceiling) passport.Money {
	left := path[0].Left()
	for _, b := range path[1:] {
		left = min(left, b.Left())
	}
	for _, c := range ceilings {
		left = min(left, max(0, c.Left()-amount))
	}
	return left
}

// CheckCeiling says what keeps a ceiling from being set, as Invalid.
func CheckCeiling(id passport.CeilingID, most passport.Money) error {
	switch {
	case !id.Known():
		return problem.New(problem.Invalid, "there is no ceiling of this name")
	case most < 0 || most > passport.MaxMoney:
		return problem.New(problem.Invalid, "a limit is from $0 to %s", passport.MaxMoney)
	}
	return nil
}

// CeilingEvent fills in what a change of a ceiling tells: which, from what, to what.
func CeilingEvent(ev passport.Event, id passport.CeilingID, was, now passport.Limit) passport.Event {
	ev.Kind = passport.CeilingSet
	if _, ok := now.Get(); !ok {
		ev.Kind = passport.CeilingRemoved
	}
	ev.Note = clip("limit a month, " + string(id) + ": from " + orNone(was) + " to " + orNone(now))
	return ev
}

func orNone(l passport.Limit) string {
	n, ok := l.Get()
	if !ok {
		return "none"
	}
	return passport.Money(n).String()
}

// SetCeiling is the step of authority.Ceilings.
func SetCeiling(ctx context.Context, q *query.Queries, id passport.CeilingID, most passport.Money, ev passport.Event) error {
	if err := CheckCeiling(id, most); err != nil {
		return err
	}
	was, err := ceiling(ctx, q, id)
	if err != nil {
		return err
	}
	if _, on := was.Get(); !on {
		if err := takeUp(ctx, q, id, passport.MonthOf(ev.At)); err != nil {
			return err
		}
	}
	if _, err := q.ForgetTold(ctx, MonthSubject(id, passport.MonthOf(ev.At))); err != nil {
		return err
	}
	if err := q.SetCeiling(ctx, query.SetCeilingParams{ID: string(id), Cap: int64(most)}); err != nil {
		return err
	}
	return AddEvent(ctx, q, CeilingEvent(ev, id, was, passport.LimitOf(int64(most))))
}

// RemoveCeiling is the step of authority.Ceilings. The months stay: open holds settle on them.
func RemoveCeiling(ctx context.Context, q *query.Queries, id passport.CeilingID, ev passport.Event) error {
	was, err := ceiling(ctx, q, id)
	if err != nil {
		return err
	}
	if n, err := q.RemoveCeiling(ctx, string(id)); err != nil || n == 0 {
		return err
	}
	return AddEvent(ctx, q, CeilingEvent(ev, id, was, passport.Limit{}))
}

func ceiling(ctx context.Context, q *query.Queries, id passport.CeilingID) (passport.Limit, error) {
	most, err := q.Ceiling(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Limit{}, nil
	}
	return passport.LimitOf(most), err
}

// takeUp opens the month of a ceiling that was not set: what the month has cost without it is earlier, and the calls that run
// without it hold on it from now on.
func takeUp(ctx context.Context, q *query.Queries, id passport.CeilingID, m passport.Month) error {
	from, until := Micros(m.Begins()), Micros(m.Ends())
	earlier, err := settledBeside(ctx, q, id, m)
	if err != nil {
		return err
	}
	var held int64
	switch p, one := string(id.Provider()), string(id.Credential()); {
	case id == passport.PersonCeiling:
		held, err = q.HeldBesidePerson(ctx, query.HeldBesidePersonParams{CreatedAt: from, CreatedAt_2: until})
		if err == nil {
			_, err = q.TakeUpPerson(ctx, query.TakeUpPersonParams{PersonMonth: int64(m), CreatedAt: from, CreatedAt_2: until})
		}
	case one != "":
		held, err = q.HeldBesideCredential(ctx, query.HeldBesideCredentialParams{CreatedAt: from, CreatedAt_2: until, CredentialID: one})
		if err == nil {
			_, err = q.TakeUpCredential(ctx, query.TakeUpCredentialParams{CredentialMonth: int64(m), CreatedAt: from, CreatedAt_2: until, CredentialID: one})
		}
	default:
		held, err = q.HeldBesideKey(ctx, query.HeldBesideKeyParams{CreatedAt: from, CreatedAt_2: until, Provider: p})
		if err == nil {
			_, err = q.TakeUpKey(ctx, query.TakeUpKeyParams{KeyMonth: int64(m), CreatedAt: from, CreatedAt_2: until, Provider: p})
		}
	}
	if err != nil {
		return err
	}
	return q.OpenCeilingMonth(ctx, query.OpenCeilingMonthParams{ID: string(id), Month: int64(m), Earlier: int64(earlier), Held: held})
}

// settledBeside is what calls of a month have cost that hold on no month of a ceiling.
func settledBeside(ctx context.Context, q *query.Queries, id passport.CeilingID, m passport.Month) (passport.Money, error) {
	from, until, first := Micros(m.Begins()), Micros(m.Ends()), firstID(m.Begins())
	var sum int64
	var err error
	switch one := string(id.Credential()); {
	case id == passport.PersonCeiling:
		sum, err = q.SettledBesidePerson(ctx, query.SettledBesidePersonParams{CreatedAt: from, CreatedAt_2: until, ID: first})
	case one != "":
		sum, err = q.SettledBesideCredential(ctx, query.SettledBesideCredentialParams{CreatedAt: from, CreatedAt_2: until, CredentialID: one, ID: first})
	default:
		sum, err = q.SettledBesideKey(ctx, query.SettledBesideKeyParams{CreatedAt: from, CreatedAt_2: until, Provider: string(id.Provider()), ID: first})
	}
	return passport.Money(sum), err
}

// Ceilings is the step of authority.Ceilings.
func Ceilings(ctx context.Context, q *query.Queries, of passport.Payer, m passport.Month) ([]passport.Ceiling, error) {
	rows, err := q.Ceilings(ctx, int64(m))
	if err != nil {
		return nil, err
	}
	var out []passport.Ceiling
	for _, r := range rows {
		if CeilingPayer(passport.CeilingID(r.ID), passport.Payer(r.Payer)) != of {
			continue
		}
		out = append(out, passport.Ceiling{ID: passport.CeilingID(r.ID), Month: m, Cap: passport.Money(r.Cap), Earlier: passport.Money(r.Earlier),
			Settled: passport.Money(r.Settled), Held: passport.Money(r.Held)})
	}
	return out, nil
}

// CeilingPayer is whose a ceiling is; key is whose the one key is that it may be over, and nobody's is one of the environment, which is the
// owner's.
func CeilingPayer(id passport.CeilingID, key passport.Payer) passport.Payer {
	if id.Credential() == "" {
		return id.Payer()
	}
	return cmp.Or(key, passport.OwnerPays)
}

// TakenBy reads which ceilings a reservation took from.
func TakenBy(r query.Reservation) passport.Taken {
	return passport.Taken{Provider: passport.Provider(r.Provider), Credential: passport.CredentialID(r.CredentialID),
		Person: passport.Month(r.PersonMonth), Key: passport.Month(r.KeyMonth), Own: passport.Month(r.CredentialMonth)}
}

// moveCeilings moves money on the months that a reservation took from.
func moveCeilings(ctx context.Context, q *query.Queries, r query.Reservation, held, settled int64) error {
	for id, month := range TakenBy(r).Each {
		move := query.MoveCeilingMonthParams{Held: held, Settled: settled, ID: string(id), Month: int64(month)}
		if n, err := q.MoveCeilingMonth(ctx, move); err != nil || n == 0 {
			return errors.Join(err, missing(n, r.ID))
		}
	}
	return nil
}

// verifyCeilings lists the months that differ from the sums of their reservations, and those of ceilings that are set whose
// earlier spending is less than what was spent beside them.
func verifyCeilings(ctx context.Context, q *query.Queries) ([]string, error) {
	wrong, err := q.WrongCeilings(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, w := range wrong {
		out = append(out, fmt.Sprintf("ceiling %s of %d: held %d settled %d, its reservations say %d, %d", w.ID, w.Month, w.Held, w.Settled, w.SumHeld, w.SumSettled))
	}
	newest, err := q.NewestCeilingMonths(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range newest {
		sum, err := settledBeside(ctx, q, passport.CeilingID(n.ID), passport.Month(n.Month))
		if err != nil {
			return nil, err
		}
		if int64(sum) > n.Earlier {
			out = append(out, fmt.Sprintf("ceiling %s of %d: earlier %d, what was spent beside it is %d", n.ID, n.Month, n.Earlier, sum))
		}
	}
	return out, nil
}
