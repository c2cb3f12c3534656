package store

import (
	"context"
	"math"
	"strings"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// Bounds of Activity: it goes through the history by its numbers, so many at a time, and gives what it has found when it has gone through
// so many: who asks goes on from there.
const (
	activityWindow = 2048
	activityMost   = 32 // windows
)

// Activity is the step of authority.History.
func Activity(ctx context.Context, q *query.Queries, of passport.PersonID, payer passport.Payer, g passport.GrantID, before int64, limit int) (out []passport.Event, next int64, err error) {
	span, err := q.EventSpan(ctx)
	if err != nil || limit < 1 {
		return nil, 0, err
	}
	end := span.Newest + 1
	if before > 0 {
		end = min(end, before)
	}
	if g != "" {
		rows, err := q.EventsOfBefore(ctx, query.EventsOfBeforeParams{GrantID: string(g), Seq: end, Limit: Bounded(limit)})
		for _, r := range rows {
			ev := happened(query.EventsBetweenRow(r))
			if next = r.Seq; Sees(of, payer, passport.Payer(r.Payer), ev) {
				out = append(out, ev)
			}
		}
		if len(rows) < limit {
			next = 0
		}
		return out, next, err
	}
	for range activityMost {
		if end <= span.Oldest {
			return out, 0, nil
		}
		begin := max(end-activityWindow, span.Oldest)
		rows, err := q.EventsBetween(ctx, query.EventsBetweenParams{Seq: begin, Seq_2: end, Limit: math.MaxInt32})
		if err != nil {
			return nil, 0, err
		}
		for _, r := range rows {
			ev := happened(r)
			if !Sees(of, payer, passport.Payer(r.Payer), ev) {
				continue
			}
			if out = append(out, ev); len(out) == limit {
				return out, r.Seq, nil
			}
		}
		end = begin
	}
	return out, end, nil
}

// Sees says whether an event is for a person's eyes: one of their grants' (passport.Payer.Sees); else one that they did themselves, or that is
// for them. What no person did and is for nobody else, and what an owner bearer did before there was an owner, is for the owner's.
func Sees(of passport.PersonID, payer, granted passport.Payer, ev passport.Event) bool {
	if ev.Grant != "" {
		return payer.Sees(passport.Grant{Payer: granted})
	}
	if told, ok := strings.CutPrefix(ev.Actor, "broker:"); ok { // to one person, of what another did
		return told == string(of)
	}
	who, person := strings.CutPrefix(ev.Actor, "owner:")
	switch {
	case ev.Payer != "" && ev.Payer == payer:
		return true
	case !person && ev.Payer != "":
		return false
	case !person || who == automation:
		return payer == passport.OwnerPays
	default:
		return who == string(of)
	}
}

// automation is the actor of an owner bearer that was used before there was an owner (authority/identity.Automation).
const automation = "owner"

func happened(r query.EventsBetweenRow) passport.Event {
	return eventOf(query.Event{Seq: r.Seq, ID: r.ID, Kind: r.Kind, At: r.At, Actor: r.Actor, GrantID: r.GrantID, Note: r.Note, Payer: r.Meant})
}
