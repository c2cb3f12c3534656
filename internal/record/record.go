// Package record holds the one log entry of an HTTP request: filled on the way, written once at the end. It never holds a
// prompt, an answer, a key or a token. It owns no output.
package record

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Record is what is said of one request. One goroutine fills it.
type Record struct {
	ID       string // request id, ours
	Method   string
	Route    string // the pattern that matched, never the path: paths hold tokens
	Client   string // address
	Status   int
	Bytes    int64
	Start    time.Time
	Grant    passport.GrantID
	Key      passport.TokenID // id of the SDK key; empty: a token
	Call     passport.ReservationID
	Provider passport.Provider
	Model    string
	Stream   bool
	Held     passport.Money
	Charged  passport.Money
	Why      passport.Outcome
	Upstream string // the provider's own request id
	Err      error  // for the log only
}

type key struct{}

// With puts a record into a context.
func With(ctx context.Context, r *Record) context.Context { return context.WithValue(ctx, key{}, r) }

// From returns the record of a request; a fresh one that nobody writes, if there is none.
func From(ctx context.Context) *Record {
	if r, ok := ctx.Value(key{}).(*Record); ok {
		return r
	}
	return &Record{}
}

// WentWell says that it was a call that reached its provider and came back whole: one that the ledger tells all of.
func (r *Record) WentWell() bool {
	return r.Call != "" && r.Err == nil && r.Why == passport.Finished && r.Status >= 200 && r.Status < 300
}

// Attrs are the members of the log entry; what is empty is left out.
func (r *Record) Attrs(now time.Time) []slog.Attr {
	as := []slog.Attr{
		slog.String("id", r.ID), slog.String("method", r.Method), slog.String("route", r.Route),
		slog.Int("status", r.Status), slog.Int64("bytes", r.Bytes), slog.Int64("us", now.Sub(r.Start).Microseconds()),
	}
	for _, s := range []struct{ k, v string }{
		{"client", r.Client}, {"grant", string(r.Grant)}, {"key", string(r.Key)}, {"call", string(r.Call)}, {"provider", string(r.Provider)},
		{"model", r.Model}, {"why", string(r.Why)}, {"upstream_id", r.Upstream},
	} {
		if s.v != "" {
			as = append(as, slog.String(s.k, s.v))
		}
	}
	if r.Call != "" {
		as = append(as, slog.Bool("stream", r.Stream), slog.Int64("held_micro_usd", int64(r.Held)), slog.Int64("charged_micro_usd", int64(r.Charged)))
	}
	if r.Err != nil {
		as = append(as, slog.String("error", clip(say(r.Err))))
	}
	return as
}

// say is what the log hears of an error: its kind, field and cause. Not its detail where that may quote what the caller sent,
// which may be a part of a prompt, nor the field of a bad request, which may be a name that the caller made up.
func say(err error) string {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err.Error()
	}
	s := p.Kind.String()
	if p.Field != "" && p.Kind != problem.Invalid {
		s += " in " + p.Field
	}
	switch p.Kind {
	case problem.Internal, problem.Unavailable, problem.BudgetSpent, problem.CallsSpent, problem.RateExceeded, problem.Busy, problem.GrantEnded,
		problem.GrantPaused, problem.CredentialMissing, problem.CredentialRefused, problem.UpstreamFailed, problem.UpstreamTimeout, problem.ClientGone:
		s += ": " + p.Detail
	}
	if p.Cause != nil {
		s += ": " + p.Cause.Error()
	}
	return s
}

// clip bounds an error's text: it may quote a peer.
func clip(s string) string {
	const most = 500
	if len(s) > most {
		return s[:most]
	}
	return s
}
