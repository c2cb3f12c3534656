package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

func (w *world) Sessions(_ context.Context, who passport.PersonID) ([]passport.Session, error) {
	if who != w.visitor.ID {
		return nil, nil
	}
	return w.sessions, w.broken
}

func (w *world) SessionOf(*http.Request) (passport.Session, error) {
	return passport.Session{Hash: [32]byte{1}}, nil
}

func (w *world) Identities(context.Context, passport.PersonID) ([]passport.Identity, error) {
	return w.linked, w.broken
}

func (w *world) ForeignHost() string { return w.provider }

func TestSettingsListSignInElsewhere(t *testing.T) {
	w := newWorld(t)
	if strings.Contains(w.get("/settings").Body.String(), "Sign-in elsewhere") {
		t.Error("without a provider there is something to link")
	}
	w.provider = "accounts.example.com"
	says(t, w.get("/settings").Body.String(), "Sign-in elsewhere", "There is none.", "Link who you are at accounts.example.com")
	w.linked = []passport.Identity{{Issuer: "https://accounts.example.com", Subject: "s", Email: "<ada>@example.com", LinkedAt: w.now}}
	says(t, w.get("/settings").Body.String(), "https://accounts.example.com", "&lt;ada&gt;@example.com", w.linked[0].ID())
}

func TestSettingsListSessions(t *testing.T) {
	w := newWorld(t)
	w.sessions = []passport.Session{{Hash: [32]byte{1}, Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Address: "192.0.2.1", CreatedAt: w.now, SeenAt: w.now}}
	one := w.get("/settings").Body.String()
	says(t, one, "Firefox on Linux", "192.0.2.1", "This one")
	if strings.Contains(one, "Sign out all others") || strings.Contains(one, `value="end"`) {
		t.Error("the only session can be ended here")
	}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Safari/604.1":      "Chrome on an iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":         "Safari on a Mac",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":               "Chrome on Android",
		"<script>": "Another browser",
		"":         "Another browser",
	} {
		other := passport.Session{Hash: [32]byte{2}, Agent: agent, Address: "192.0.2.2", CreatedAt: w.now.Add(-time.Hour), SeenAt: w.now}
		w.sessions = append(w.sessions[:1:1], other)
		page := w.get("/settings").Body.String()
		says(t, page, "<strong>"+want+"</strong>", "Sign out all others", other.ID())
		if strings.Contains(page, "<script>") {
			t.Error("what a browser calls itself is markup")
		}
	}
}
