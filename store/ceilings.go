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

// Limits are what is set on one ceiling: by the person whose it is, and for a member by the owner. The lower of the two holds.
type Limits struct{ Own, Most passport.Limit }

// Cap is what holds; unset: there is no such ceiling.
func (l Limits) Cap() passport.Limit { return passport.Lower(l.Own, l.Most) }

// CeilingEvent fills in what a change of a ceiling tells: which, from what, to what, and whose it is.
func CeilingEvent(ev passport.Event, head string, id passport.CeilingID, of passport.Payer, was, now passport.Limit) passport.Event {
	ev.Kind, ev.Payer = passport.CeilingSet, of
	if _, ok := now.Get(); !ok {
		ev.Kind = passport.CeilingRemoved
	}
	ev.Note = clip(head + string(id) + ": from " + orNone(was) + " to " + orNone(now))
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
	was, err := limitsOn(ctx, q, id)
	if err != nil {
		return err
	}
	now := Limits{passport.LimitOf(int64(most)), was.Most}
	if err := setLimits(ctx, q, id, was, now, passport.MonthOf(ev.At)); err != nil {
		return err
	}
	return tellOwn(ctx, q, id, was, now, ev)
}

// RemoveCeiling is the step of authority.Ceilings. The months stay: open holds settle on them.
func RemoveCeiling(ctx context.Context, q *query.Queries, id passport.CeilingID, ev passport.Event) error {
	was, err := limitsOn(ctx, q, id)
	if err != nil || was.Own == (passport.Limit{}) {
		return err
	}
	now := Limits{Most: was.Most}
	if err := setLimits(ctx, q, id, was, now, passport.MonthOf(ev.At)); err != nil {
		return err
	}
	return tellOwn(ctx, q, id, was, now, ev)
}

func tellOwn(ctx context.Context, q *query.Queries, id passport.CeilingID, was, now Limits, ev passport.Event) error {
	of, err := payerOfCeiling(ctx, q, id)
	if err != nil {
		return err
	}
	return AddEvent(ctx, q, CeilingEvent(ev, passport.OwnLimit, id, of, was.Own, now.Own))
}

// LimitMember is the step of authority.Ceilings.
func LimitMember(ctx context.Context, q *query.Queries, member passport.PersonID, most passport.Limit, ev passport.Event) error {
	r, err := q.Person(ctx, string(member))
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.Role != string(passport.RoleMember) {
		return NotFound("member")
	}
	if err != nil {
		return err
	}
	of := passport.Payer(member)
	id := passport.PersonCeilingOf(of)
	if err := CheckCeiling(id, passport.Money(most.Or(0))); err != nil {
		return err
	}
	was, err := limitsOn(ctx, q, id)
	if err != nil || was.Most == most && most == (passport.Limit{}) {
		return err
	}
	if err := setLimits(ctx, q, id, was, Limits{was.Own, most}, passport.MonthOf(ev.At)); err != nil {
		return err
	}
	return AddEvent(ctx, q, CeilingEvent(ev, passport.MostLimit, id, of, was.Most, most))
}

// setLimits makes a ceiling what it is from now on. Where there was none the month is opened; where its cap is another than before, marks are
// told again.
func setLimits(ctx context.Context, q *query.Queries, id passport.CeilingID, was, now Limits, m passport.Month) error {
	if was.Cap() == (passport.Limit{}) {
		if err := takeUp(ctx, q, id, m); err != nil {
			return err
		}
	}
	if was.Cap() != now.Cap() {
		if _, err := q.ForgetTold(ctx, MonthSubject(id, m)); err != nil {
			return err
		}
	}
	most, set := now.Cap().Get()
	if !set {
		_, err := q.RemoveCeiling(ctx, string(id))
		return err
	}
	return q.SetCeiling(ctx, query.SetCeilingParams{ID: string(id), Cap: most, Own: now.Own.Or(unset), Most: now.Most.Or(unset)})
}

// unset is how a limit that is not set is kept.
const unset = -1

// limitsOf reads what is set. One that the owner has not limited is all the person's, also where it was written before there were two.
func limitsOf(most, own, owners int64) (l Limits) {
	if owners == unset {
		own = most
	} else {
		l.Most = passport.LimitOf(owners)
	}
	if own != unset {
		l.Own = passport.LimitOf(own)
	}
	return l
}

func limitsOn(ctx context.Context, q *query.Queries, id passport.CeilingID) (Limits, error) {
	r, err := q.Ceiling(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return Limits{}, nil
	}
	if err != nil {
		return Limits{}, err
	}
	return limitsOf(r.Cap, r.Own, r.Most), nil
}

// payerOfCeiling is whose a ceiling is.
func payerOfCeiling(ctx context.Context, q *query.Queries, id passport.CeilingID) (passport.Payer, error) {
	if id.Credential() == "" {
		return id.Payer(), nil
	}
	key, err := q.PayerOfCredential(ctx, string(id.Credential()))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return CeilingPayer(id, passport.Payer(key)), nil
}

// removeCeilingsOf takes away what is set for a member who goes. The months stay.
func removeCeilingsOf(ctx context.Context, q *query.Queries, of passport.Payer) error {
	rows, err := q.Ceilings(ctx, 0)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if CeilingPayer(passport.CeilingID(r.ID), passport.Payer(r.Payer)) != of {
			continue
		}
		if _, err := q.RemoveCeiling(ctx, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// PayerOf is who pays, by the member's id that budgets and reservations have; the owner's is empty.
func PayerOf(member string) passport.Payer {
	if member == "" {
		return passport.OwnerPays
	}
	return passport.Payer(member)
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
	switch p, one, member := string(id.Provider()), string(id.Credential()), id.Payer().Member(); {
	case id.Person():
		held, err = q.HeldBesidePerson(ctx, query.HeldBesidePersonParams{CreatedAt: from, CreatedAt_2: until, Member: member})
		if err == nil {
			_, err = q.TakeUpPerson(ctx, query.TakeUpPersonParams{PersonMonth: int64(m), CreatedAt: from, CreatedAt_2: until, Member: member})
		}
	case one != "":
		held, err = q.HeldBesideCredential(ctx, query.HeldBesideCredentialParams{CreatedAt: from, CreatedAt_2: until, CredentialID: one})
		if err == nil {
			_, err = q.TakeUpCredential(ctx, query.TakeUpCredentialParams{CredentialMonth: int64(m), CreatedAt: from, CreatedAt_2: until, CredentialID: one})
		}
	default:
		held, err = q.HeldBesideKey(ctx, query.HeldBesideKeyParams{CreatedAt: from, CreatedAt_2: until, Provider: p, Member: member})
		if err == nil {
			_, err = q.TakeUpKey(ctx, query.TakeUpKeyParams{KeyMonth: int64(m), CreatedAt: from, CreatedAt_2: until, Provider: p, Member: member})
		}
	}
	if err != nil {
		return err
	}
	return q.OpenCeilingMonth(ctx, query.OpenCeilingMonthParams{ID: string(id), Month: int64(m), Earlier: int64(earlier), Held: held})
}

// settledBeside is what calls of a month have cost, whose ceiling it is, that hold on no month of it.
func settledBeside(ctx context.Context, q *query.Queries, id passport.CeilingID, m passport.Month) (passport.Money, error) {
	from, until, first := Micros(m.Begins()), Micros(m.Ends()), firstID(m.Begins())
	var sum int64
	var err error
	switch one, member := string(id.Credential()), id.Payer().Member(); {
	case id.Person():
		sum, err = q.SettledBesidePerson(ctx, query.SettledBesidePersonParams{CreatedAt: from, CreatedAt_2: until, Member: member, ID: first})
	case one != "":
		sum, err = q.SettledBesideCredential(ctx, query.SettledBesideCredentialParams{CreatedAt: from, CreatedAt_2: until, CredentialID: one, ID: first})
	default:
		sum, err = q.SettledBesideKey(ctx, query.SettledBesideKeyParams{CreatedAt: from, CreatedAt_2: until, Provider: string(id.Provider()), Member: member, ID: first})
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
		l := limitsOf(r.Cap, r.Own, r.Most)
		out = append(out, passport.Ceiling{ID: passport.CeilingID(r.ID), Month: m, Cap: passport.Money(r.Cap), Own: l.Own, Most: l.Most,
			Earlier: passport.Money(r.Earlier), Settled: passport.Money(r.Settled), Held: passport.Money(r.Held)})
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
	return passport.Taken{Payer: PayerOf(r.Member), Provider: passport.Provider(r.Provider), Credential: passport.CredentialID(r.CredentialID),
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

// raiseEarlier counts what a late bill is above its hold on the months that the reservation did not take from and that were opened since:
// what it had been charged is earlier there.
func raiseEarlier(ctx context.Context, q *query.Queries, r query.Reservation, by int64) error {
	took, month := TakenBy(r), passport.MonthOf(TimeOf(r.CreatedAt))
	for _, id := range (passport.Hold{Provider: took.Provider, Credential: took.Credential}).Ceilings(took.Payer) {
		if on := took.Of(id); on == nil || *on != 0 {
			continue
		}
		if err := q.RaiseEarlier(ctx, query.RaiseEarlierParams{Earlier: by, Month: int64(month), ID: string(id)}); err != nil {
			return err
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
