package identity

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of sessions.
const (
	freshFor    = 5 * time.Minute // since the person proved who they are
	seenEvery   = time.Minute     // how often it is written down that a session is used
	maxSessions = 100             // that are listed
)

// isFresh says whether a person proved a moment ago who they are. It is the one definition of a fresh sign-in.
func (i *Identity) isFresh(s passport.Session) bool { return i.cfg.Now().Sub(s.CreatedAt) < freshFor }

// see writes down that a session is used, once a minute. It is for the list of sessions only: where it cannot be written, the page is
// shown all the same, because a full disk must not keep anyone from a revoke.
func (i *Identity) see(ctx context.Context, s passport.Session) {
	if now := i.now(); now.Sub(s.SeenAt) >= seenEvery {
		_ = i.cfg.Store.SeeSession(ctx, s.Hash, now.Truncate(seenEvery))
	}
}

// Sessions are those of a person that have not ended, newest first, at most maxSessions.
func (i *Identity) Sessions(ctx context.Context, who passport.PersonID) ([]passport.Session, error) {
	all, err := i.cfg.Store.Sessions(ctx, who, maxSessions)
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return slices.DeleteFunc(all, func(s passport.Session) bool { return !i.cfg.Now().Before(s.ExpiresAt) }), nil
}

// SessionOf is the session of a browser. Error: Unauthenticated if there is none.
func (i *Identity) SessionOf(r *http.Request) (passport.Session, error) {
	_, s, err := i.session(r)
	return s, err
}

// EndSessions answers POST /settings/sessions: it ends one session of the person's, or all but this one. What is drawn for an ended session
// stops with it: every request reads the session anew.
func (i *Identity) EndSessions(w http.ResponseWriter, r *http.Request) {
	v, s, ok := i.owns(w, r)
	if !ok {
		return
	}
	word, n, err := i.endSessions(r, v, s)
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, word, n)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

func (i *Identity) endSessions(r *http.Request, v web.Visitor, here passport.Session) (word string, n int, err error) {
	ev := i.event(passport.SessionEnded, "owner:"+string(v.ID), "from another session")
	switch r.PostForm.Get("do") {
	case "end":
		hash, err := hex.DecodeString(r.PostForm.Get("id"))
		if err != nil || len(hash) != len(here.Hash) {
			return "", 0, problem.New(problem.NotFound, "there is no such session")
		}
		if [32]byte(hash) == here.Hash {
			return "", 0, problem.New(problem.Invalid, "this is the session that you use: sign out instead").In("id")
		}
		return "session-ended", 1, i.cfg.Store.EndSessionOf(r.Context(), v.ID, [32]byte(hash), ev)
	case "others":
		ev.Note = "all others"
		many, err := i.cfg.Store.EndOtherSessions(r.Context(), v.ID, here.Hash, ev)
		return "sessions-ended", int(many), err
	default:
		return "", 0, problem.New(problem.Invalid, "the form does not say what to do").In("do")
	}
}
