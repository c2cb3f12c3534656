package passport

import "time"

// Spent is what the calls of one app to one model have cost in one stretch of time, told by when they began.
type Spent struct {
	Begins        time.Time // of the stretch: a whole hour or day, UTC
	Grant         GrantID   // whose calls they were; what was passed on stands for itself
	Provider      Provider
	Model         string
	Calls         int64 // that reached the provider, those in flight included
	Settled       Money // of those that ended
	Held          Money // for those in flight
	Input, Output int64 // tokens that providers told
}

// MostSpent bounds how many of them are read at once.
const MostSpent = 10_000
