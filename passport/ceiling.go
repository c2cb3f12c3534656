package passport

import (
	"strconv"
	"strings"
	"time"
)

// CeilingID names a ceiling: the most that all grants of one person together may spend in a UTC calendar month. A ceiling is there only
// once it is set.
type CeilingID string

// PersonCeiling is over all that the owner pays for. A member's is its name with a colon and the member's id: see PersonCeilingOf.
const PersonCeiling CeilingID = "person"

// keyCeiling begins the name of the ceiling over one provider's key.
const keyCeiling = "key:"

// KeyCeiling is over what is spent on the owner's keys of one provider, whichever of them is lent.
func KeyCeiling(p Provider) CeilingID { return CeilingID(keyCeiling + string(p)) }

// PersonCeilingOf is over all that somebody pays for.
func PersonCeilingOf(payer Payer) CeilingID { return PersonCeiling.of(payer) }

// KeyCeilingOf is over what is spent on somebody's keys of one provider.
func KeyCeilingOf(payer Payer, p Provider) CeilingID { return KeyCeiling(p).of(payer) }

// of adds a member's id. No name of a provider has a colon.
func (c CeilingID) of(payer Payer) CeilingID {
	if m := payer.Member(); m != "" {
		return c + ":" + CeilingID(m)
	}
	return c
}

// OneKeyCeiling begins the name of the ceiling over one key.
const OneKeyCeiling = "credential:"

// CredentialCeiling is over what is spent on one key, whatever it is called and however often its secret is replaced.
func CredentialCeiling(id CredentialID) CeilingID { return CeilingID(OneKeyCeiling + string(id)) }

// parts are a provider, empty for a person's ceiling, and the member whose it is, empty for the owner. Not ok: it is neither a person's nor
// over a provider's keys.
func (c CeilingID) parts() (p Provider, member string, ok bool) {
	kind, rest, _ := strings.Cut(string(c), ":")
	switch kind {
	case "person":
		return "", rest, c == PersonCeiling || rest != ""
	case "key":
		name, member, several := strings.Cut(rest, ":")
		return Provider(name), member, name != "" && (member != "") == several
	default:
		return "", "", false
	}
}

// Provider is whose keys a ceiling is over; empty for a person's and that of one key.
func (c CeilingID) Provider() Provider {
	p, _, _ := c.parts()
	return p
}

// Person says whether a ceiling is over all that somebody pays for.
func (c CeilingID) Person() bool {
	p, _, ok := c.parts()
	return ok && p == ""
}

// Payer is whose ceiling it is; of one key's that is not in its name, and it is nobody.
func (c CeilingID) Payer() Payer {
	switch _, member, ok := c.parts(); {
	case !ok:
		return ""
	case member != "":
		return Payer(member)
	default:
		return OwnerPays
	}
}

// Credential is the one key that a ceiling is over; empty for others.
func (c CeilingID) Credential() CredentialID {
	id, ok := strings.CutPrefix(string(c), OneKeyCeiling)
	if !ok {
		return ""
	}
	return CredentialID(id)
}

// Known says whether c is a name that the functions above make.
func (c CeilingID) Known() bool {
	_, _, ok := c.parts()
	return ok || c.Credential() != ""
}

// How notes of events about a ceiling begin; then comes its name.
const (
	OwnLimit  = "limit a month, " // what a person has set for themselves, and what it has come to
	MostLimit = "most a month, "  // what the owner lets a member spend
)

// LimitNote reads a note that begins so: which ceiling it is about, whether it is what the owner lets a member spend, the month (0: it
// is of a change) and what is said of it.
func LimitNote(note string) (id CeilingID, most bool, m Month, said string, ok bool) {
	rest, ok := strings.CutPrefix(note, OwnLimit)
	if !ok {
		rest, most = strings.CutPrefix(note, MostLimit)
	}
	name, said, changed := strings.Cut(rest, ": from ")
	if changed {
		said = "from " + said
	} else if name, said, changed = strings.Cut(rest, ", "); changed {
		month, what, told := strings.Cut(said, ": ")
		n, err := strconv.ParseInt(month, 10, 64)
		m, said, changed = Month(n), what, told && err == nil
	}
	id = CeilingID(name)
	return id, most, m, said, (ok || most) && changed && id.Known()
}

// Title is how a ceiling is called in a sentence that an app may read. It tells no amount.
func (c CeilingID) Title() string {
	whose := "the owner's"
	if c.Payer().Member() != "" {
		whose = "the person's"
	}
	switch {
	case c.Person():
		return whose + " limit for this month"
	case c.Credential() != "":
		return "the owner's limit for the provider key in use for this month"
	}
	return whose + " limit for " + c.Provider().Title() + " for this month"
}

// Taken are the months of the ceilings that a hold took from; 0: from none.
type Taken struct {
	Payer      Payer        // whose ceilings Person and Key are; empty is the owner, as in calls from before there were others
	Provider   Provider     // whose ceiling Key is of
	Credential CredentialID // whose ceiling Own is of
	Person     Month
	Key        Month
	Own        Month
}

// None says that no ceiling was on the path of the hold.
func (t Taken) None() bool { return t.Person == 0 && t.Key == 0 && t.Own == 0 }

// Of is where the month of a ceiling is kept; nil: it is on the path of no such hold.
func (t *Taken) Of(id CeilingID) *Month {
	switch {
	case id == PersonCeilingOf(t.Payer):
		return &t.Person
	case id == KeyCeilingOf(t.Payer, t.Provider):
		return &t.Key
	case t.Credential != "" && id == CredentialCeiling(t.Credential):
		return &t.Own
	default:
		return nil
	}
}

// Each yields the ceilings that the hold took from, with their months.
func (t Taken) Each(yield func(CeilingID, Month) bool) {
	if t.Person != 0 && !yield(PersonCeilingOf(t.Payer), t.Person) {
		return
	}
	if t.Key != 0 && !yield(KeyCeilingOf(t.Payer, t.Provider), t.Key) {
		return
	}
	if t.Own != 0 {
		yield(CredentialCeiling(t.Credential), t.Own)
	}
}

// Month is a UTC calendar month as year*100 + month: 202611.
type Month int64

// MonthOf is the month that a time is in.
func MonthOf(t time.Time) Month {
	t = t.UTC()
	return Month(t.Year()*100 + int(t.Month()))
}

// Begins is the first moment of the month.
func (m Month) Begins() time.Time {
	return time.Date(int(m/100), time.Month(m%100), 1, 0, 0, 0, 0, time.UTC)
}

// Ends is the first moment of the month after.
func (m Month) Ends() time.Time { return m.Begins().AddDate(0, 1, 0) }

// Ceiling is a ceiling with what one month has on it. A hold belongs to the month that it was made in, whenever it is settled.
type Ceiling struct {
	ID      CeilingID
	Month   Month
	Cap     Money // the lower of Own and Most; 0: nothing may be spent
	Own     Limit // what the person has set; a hold does not read it, nor Most
	Most    Limit // what the owner lets a member spend, which the member cannot change
	Earlier Money // spent in this month while the ceiling was not set
	Settled Money // spent since
	Held    Money
}

// Lower is the lower of two limits that are set; unset where neither is.
func Lower(a, b Limit) Limit {
	x, one := a.Get()
	y, two := b.Get()
	if !one || two && y < x {
		return b
	}
	return a
}

// Short is the cause of a refusal by a ceiling: what is left there. It reaches an app as what it has left, and in no words.
type Short struct{ Left Money }

func (s Short) Error() string { return s.Left.String() + " is left" }

// Spent is what the month has cost so far.
func (c Ceiling) Spent() Money { return c.Earlier + c.Settled }

// Left is what can still be held. Never negative.
func (c Ceiling) Left() Money { return max(0, c.Cap-c.Earlier-c.Settled-c.Held) }
