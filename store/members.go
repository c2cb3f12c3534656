package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// Suspended says that nothing can be given in the name of a member who is suspended or gone.
func Suspended() error {
	return problem.New(problem.Forbidden, "the owner of this broker has suspended this person")
}

// TooManyPeople says that nobody else can join or be invited.
func TooManyPeople(waiting bool) error {
	if waiting {
		return problem.New(problem.Conflict, "%d invitations wait already: end one first", passport.MaxInvitations)
	}
	return problem.New(problem.Conflict, "there are %d members, which is as many as there may be", passport.MaxPeople)
}

// NameTaken says that somebody signs in with a name already.
func NameTaken() error {
	return problem.New(problem.Conflict, "somebody signs in with this name already").In("username")
}

// mayPay says why a grant cannot be used in a member's name. In the engine's transaction nobody suspends or removes them meanwhile.
func mayPay(ctx context.Context, q *query.Queries, g passport.Grant) error {
	if g.State != passport.GrantActive {
		return nil
	}
	return isThere(ctx, q, g.Payer)
}

// isThere says why nothing can be kept in a payer's name. The owner is always there.
func isThere(ctx context.Context, q *query.Queries, payer passport.Payer) error {
	if payer.Member() == "" {
		return nil
	}
	r, err := q.Person(ctx, payer.Member())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err != nil || r.SuspendedAt != 0 || r.Role != string(passport.RoleMember) {
		return Suspended()
	}
	return nil
}

// AddInvitation is the step of identity.Store.
func AddInvitation(ctx context.Context, q *query.Queries, v passport.Invitation, ev passport.Event) error {
	if _, err := q.RemoveEndedInvitations(ctx, Micros(ev.At)); err != nil {
		return err
	}
	all, err := q.Invitations(ctx, passport.MaxInvitations)
	if err != nil {
		return err
	}
	if len(all) >= passport.MaxInvitations {
		return TooManyPeople(true)
	}
	if err := room(ctx, q); err != nil {
		return err
	}
	n, err := q.AddInvitation(ctx, query.AddInvitationParams{Hash: v.Hash[:], Label: v.Label, CreatedAt: Micros(v.CreatedAt), ExpiresAt: Micros(v.ExpiresAt)})
	return added(ctx, q, n, err, "invitation", ev)
}

// room says whether another member can join: the owner is not counted.
func room(ctx context.Context, q *query.Queries) error {
	n, err := q.CountPeople(ctx)
	if err == nil && n > passport.MaxPeople {
		err = TooManyPeople(false)
	}
	return err
}

// Invitation is the step of identity.Store.
func Invitation(ctx context.Context, q *query.Queries, hash [32]byte) (passport.Invitation, error) {
	r, err := q.Invitation(ctx, hash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Invitation{}, NotFound("invitation")
	}
	return passport.Invitation{Hash: hash, Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)}, err
}

// Invitations is the step of identity.Store.
func Invitations(ctx context.Context, q *query.Queries) (out []passport.Invitation, err error) {
	rows, err := q.Invitations(ctx, passport.MaxInvitations)
	for _, r := range rows {
		out = append(out, passport.Invitation{Hash: [32]byte(r.Hash), Label: r.Label, CreatedAt: TimeOf(r.CreatedAt), ExpiresAt: TimeOf(r.ExpiresAt)})
	}
	return out, err
}

// EndInvitation is the step of identity.Store.
func EndInvitation(ctx context.Context, q *query.Queries, hash [32]byte, ev passport.Event) error {
	n, err := q.RemoveInvitation(ctx, hash[:])
	if err == nil && n == 0 {
		err = NotFound("invitation")
	}
	if err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// AddMember is the step of identity.Store.
func AddMember(ctx context.Context, q *query.Queries, p passport.Person, by *[32]byte, as *passport.Identity, ev passport.Event) error {
	if as != nil {
		if err := mayJoinAs(ctx, q, *as, by != nil); err != nil {
			return err
		}
	}
	if by != nil {
		v, err := Invitation(ctx, q, *by)
		if err == nil && !v.ExpiresAt.After(TimeOf(Micros(ev.At))) {
			err = NotFound("invitation")
		}
		if err != nil {
			return err
		}
	}
	if _, err := q.FirstPerson(ctx); errors.Is(err, sql.ErrNoRows) {
		return NoOwner()
	} else if err != nil {
		return err
	}
	if err := room(ctx, q); err != nil {
		return err
	}
	if _, err := q.PersonNamed(ctx, p.Username); err == nil {
		return NameTaken()
	} else if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if by != nil {
		if _, err := q.RemoveInvitation(ctx, by[:]); err != nil {
			return err
		}
	}
	if err := q.AddPerson(ctx, query.AddPersonParams{ID: string(p.ID), Name: p.Name, Username: p.Username, PasswordHash: p.PasswordHash,
		CreatedAt: Micros(p.CreatedAt), Role: string(passport.RoleMember)}); err != nil {
		return err
	}
	if as != nil {
		mine := *as
		mine.Person = p.ID
		return AddIdentity(ctx, q, mine, ev)
	}
	return AddEvent(ctx, q, ev)
}

// mayJoinAs says why nobody can become a member as who they are at an OpenID provider: that is somebody here, or was and no invitation has
// them come back.
func mayJoinAs(ctx context.Context, q *query.Queries, as passport.Identity, invited bool) error {
	_, err := Identity(ctx, q, as.Hash())
	if err == nil {
		return IdentityTaken()
	}
	if problem.KindOf(err) != problem.NotFound {
		return err
	}
	gone, err := IdentityGone(ctx, q, as.Hash())
	if err == nil && gone && !invited {
		err = IdentityOver()
	}
	return err
}

// People is the step of identity.Store.
func People(ctx context.Context, q *query.Queries) (out []passport.Person, err error) {
	rows, err := q.People(ctx, passport.MaxPeople+1)
	for _, r := range rows {
		out = append(out, personOf(r))
	}
	return out, err
}

// SuspendPerson is the step of identity.Store. A zero time lets them in again.
func SuspendPerson(ctx context.Context, q *query.Queries, id passport.PersonID, at time.Time, ev passport.Event) error {
	n, err := q.SuspendPerson(ctx, query.SuspendPersonParams{SuspendedAt: Micros(at), ID: string(id)})
	if err == nil && n == 0 {
		err = NotFound("member")
	}
	if err != nil {
		return err
	}
	if !at.IsZero() {
		if err := signOut(ctx, q, id); err != nil {
			return err
		}
	}
	return AddEvent(ctx, q, ev)
}

// signOut ends all by which a person is known: sessions and bearers.
func signOut(ctx context.Context, q *query.Queries, id passport.PersonID) error {
	if _, err := q.RemoveSessionsOf(ctx, string(id)); err != nil {
		return err
	}
	_, err := q.RemoveOwnerTokensOf(ctx, string(id))
	return err
}

// RemovePerson is the step of identity.Store.
func RemovePerson(ctx context.Context, q *query.Queries, id passport.PersonID, ev passport.Event) error {
	r, err := q.Person(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.Role != string(passport.RoleMember) {
		return NotFound("member")
	}
	if err != nil {
		return err
	}
	if r.SuspendedAt == 0 {
		return problem.New(problem.Conflict, "a member is suspended before they are removed")
	}
	if err := signOut(ctx, q, id); err != nil {
		return err
	}
	if err := q.RemoveSetting(ctx, ownSetting(passport.PayerOf(id, passport.RoleMember))); err != nil {
		return err
	}
	if _, err := q.RemovePasskeysOf(ctx, string(id)); err != nil {
		return err
	}
	if err := q.NoteIdentitiesGone(ctx, query.NoteIdentitiesGoneParams{At: Micros(ev.At), PersonID: string(id)}); err != nil {
		return err
	}
	if _, err := q.RemoveIdentitiesOf(ctx, string(id)); err != nil {
		return err
	}
	if err := removeCeilingsOf(ctx, q, passport.Payer(id)); err != nil {
		return err
	}
	if _, err := q.RemovePerson(ctx, string(id)); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// MemberSums is the step of authority.History.
func MemberSums(ctx context.Context, q *query.Queries, since, now time.Time) (map[passport.Payer]passport.MemberSum, error) {
	spent, err := q.SpentByPayer(ctx, query.SpentByPayerParams{ID: firstID(since), CreatedAt: Micros(since)})
	if err != nil {
		return nil, err
	}
	apps, err := q.AppsByPayer(ctx, Micros(now))
	if err != nil {
		return nil, err
	}
	out := map[passport.Payer]passport.MemberSum{}
	for _, r := range spent {
		out[passport.Payer(r.Payer)] = passport.MemberSum{Calls: r.Calls, Settled: passport.Money(r.Settled), Held: passport.Money(r.Held)}
	}
	for _, r := range apps {
		s := out[passport.Payer(r.Payer)]
		s.Apps = r.Apps
		out[passport.Payer(r.Payer)] = s
	}
	limits, err := q.Ceilings(ctx, int64(passport.MonthOf(now)))
	if err != nil {
		return nil, err
	}
	for _, r := range limits {
		if of := passport.CeilingID(r.ID).Payer(); of.Member() != "" && passport.CeilingID(r.ID).Person() {
			s := out[of]
			s.Limit, s.Most = passport.LimitOf(r.Cap), limitsOf(r.Cap, r.Own, r.Most).Most
			out[of] = s
		}
	}
	return out, nil
}
