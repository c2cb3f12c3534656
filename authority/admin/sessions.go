package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Sessions are the browsers that a person is signed in with.
type Sessions interface {
	// Sessions lists those that have not ended, newest first.
	Sessions(ctx context.Context, who passport.PersonID) ([]passport.Session, error)
	// SessionOf is the one of this browser. Error: Unauthenticated if there is none.
	SessionOf(r *http.Request) (passport.Session, error)
}

// Identities are those of a person at other issuers.
type Identities interface {
	// Identities lists them, oldest first.
	Identities(ctx context.Context, who passport.PersonID) ([]passport.Identity, error)
	// ForeignHost is the provider's at which people may sign in; empty: there is none.
	ForeignHost() string
}

type sessionsView struct {
	List   []sessionView
	Others bool
}

type sessionView struct {
	ID, Browser, Address string
	Here                 bool
	Since, Seen          time.Time
}

func (a *Admin) sessions(r *http.Request, who passport.PersonID) (d sessionsView, err error) {
	here, err := a.cfg.Sessions.SessionOf(r)
	if err != nil {
		return d, err
	}
	list, err := a.cfg.Sessions.Sessions(r.Context(), who)
	for _, s := range list {
		v := sessionView{ID: s.ID(), Browser: browser(s.Agent), Address: s.Address, Here: s.Hash == here.Hash, Since: s.CreatedAt, Seen: s.SeenAt}
		d.List, d.Others = append(d.List, v), d.Others || !v.Here
	}
	return d, err
}

// browser says in words what a browser calls itself: its name and its system, as far as they are told (RFC 9110 §10.1.5; the tokens are
// those that MDN's "Browser detection using the user agent" lists). Whoever signed in chose the text, so it proves nothing.
func browser(agent string) string {
	name := first(agent, "Another browser", [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"aipassport/", "The command line"}, {"curl/", "curl"}})
	system := first(agent, "", [][2]string{{"iPhone", "an iPhone"}, {"iPad", "an iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Macintosh", "a Mac"}, {"Linux", "Linux"}})
	if system == "" {
		return name
	}
	return name + " on " + system
}

// first is the word for the first token that is in a text.
func first(text, none string, words [][2]string) string {
	for _, w := range words {
		if strings.Contains(text, w[0]) {
			return w[1]
		}
	}
	return none
}

func saidOfSessions(word string, n int) string {
	switch word {
	case "session-ended":
		return "That browser is signed out."
	case "sessions-ended":
		if n == 0 {
			return "There was no other browser to sign out."
		}
		return web.Count(int64(n), "other browser is signed out.", "other browsers are signed out.")
	case "identity-linked":
		return "Linked. Whoever is that one there can sign in here as you."
	case "identity-unlinked":
		return "The link is removed. Nobody can sign in by it any more."
	case "password-changed":
		return "The new password counts from now on. All other browsers are signed out."
	case "password-reset":
		return "The new password counts from now on. You are signed in here and nowhere else. Look whether you know the passkeys and command lines below."
	default:
		return ""
	}
}
