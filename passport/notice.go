package passport

import "time"

// Notice is what a person is to see on top of their apps until they have seen it: the event that it was written with.
type Notice struct {
	ID      EventID
	Kind    EventKind
	Subject string // the grant, or the provider key
	Payer   Payer  // whose it is
	At      time.Time
	Note    string
}

// MostNotices bounds how many of them are shown at once, the newest: the next show when these are dismissed, and all are in Activity.
const MostNotices = 3

// Noticed says whether an event of a grant leaves a notice. Those of provider keys leave theirs where the key is marked as refused, and it goes
// when the key is taken again, replaced or removed.
func Noticed(k EventKind) bool {
	switch k {
	case GrantFirstUsed, GrantUnusual, GrantNearCap, GrantSpent, GrantNearCalls, GrantCallsSpent:
		return true
	default:
		return false
	}
}

// Outdated are the notices of a grant that one of a kind takes the place of.
func Outdated(k EventKind) EventKind {
	switch k {
	case GrantSpent:
		return GrantNearCap
	case GrantCallsSpent:
		return GrantNearCalls
	default:
		return ""
	}
}

// OfCaps are the notices of a grant that say nothing any more once its caps are changed.
var OfCaps = []EventKind{GrantNearCap, GrantSpent, GrantNearCalls, GrantCallsSpent}
