package admin_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const madeKey = "aip_Ab3dEf0123456789012345678901234567890123456789012"

func (w *world) KeysOf(_ context.Context, g passport.GrantID) ([]passport.SDKKey, error) {
	return w.sdk, w.broken
}

func (w *world) RevokeKey(_ context.Context, g passport.GrantID, id passport.TokenID, _ string) (int, error) {
	for i := range w.sdk {
		if w.sdk[i].ID == id && w.sdk[i].Grant == g {
			w.sdk[i].RevokedAt = w.now
			return 2, nil
		}
	}
	return 0, problem.New(problem.NotFound, "no such key")
}

func (w *world) TokensOf(context.Context, passport.GrantID) ([]passport.Token, error) {
	return w.tokens[:min(len(w.tokens), authority.MostTokens+1)], w.broken
}

func (w *world) RevokeToken(_ context.Context, g passport.GrantID, id passport.TokenID, who string) (int, error) {
	n := len(w.tokens)
	w.tokens = slices.DeleteFunc(w.tokens, func(t passport.Token) bool { return t.ID == id && t.Grant == g })
	if len(w.tokens) == n {
		return 0, problem.New(problem.NotFound, "no such token")
	}
	w.who = append(w.who, who)
	return 2, nil
}

// TestTokensAreListedAndEndedOneByOne: what is known of each, and nothing that could be used.
func TestTokensAreListedAndEndedOneByOne(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	for i := range authority.MostTokens + 5 {
		w.tokens = append(w.tokens, passport.Token{ID: passport.TokenID(fmt.Sprintf("tk%02d", i)), Grant: "a", IssuedAt: w.now.Add(-time.Minute), ExpiresAt: w.now.Add(59 * time.Minute)})
	}
	page := w.get("/grants/a").Body.String()
	says(t, page, "Tokens it holds", `datetime="2026-11-23T15:03:00Z"`, `datetime="2026-11-23T16:03:00Z"`, `action="/grants/a/tokens/tk00/revoke"`, "There are more", "Not bound")
	if n := strings.Count(page, "/tokens/tk"); n != authority.MostTokens {
		t.Errorf("%d tokens are listed", n)
	}
	w.list[0].Grant.JKT = "thumb"
	says(t, w.get("/grants/a").Body.String(), "Bound to a key of the app")
	says(t, w.after("/grants/a/tokens/tk00/revoke", nil), "The token has ended: 2 running calls ended.")
	if len(w.tokens) != authority.MostTokens+4 || len(w.who) != 1 {
		t.Errorf("%d tokens, by %v", len(w.tokens), w.who)
	}
	if rec := w.post("/grants/a/tokens/none/revoke", nil); rec.Code != 404 {
		t.Errorf("no such token: %d", rec.Code)
	}
	w.list[0].Grant.State = passport.GrantRevoked
	if page := w.get("/grants/a").Body.String(); strings.Contains(page, "Tokens it holds") {
		t.Error("an app that has ended has tokens")
	}
}

func (w *world) NewKey(_ context.Context, g passport.Grant, name string, ends time.Time, _ string) (string, passport.SDKKey, error) {
	if name == "" {
		return "", passport.SDKKey{}, problem.New(problem.Invalid, "needs 1 to 100 bytes of plain text").In("name")
	}
	if w.tooMany {
		return "", passport.SDKKey{}, problem.New(problem.Conflict, "an app has at most 20 SDK keys that work: revoke one first")
	}
	if ends.IsZero() {
		ends = g.ExpiresAt
	}
	k := passport.SDKKey{ID: "k1", Grant: g.ID, Name: name, Start: madeKey[:10], CreatedAt: w.now, ExpiresAt: ends}
	w.sdk = append(w.sdk, k)
	return madeKey, k, nil
}

func TestAKeyIsShownOnce(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	rec := w.post("/grants/a/keys", url.Values{"name": {"my <laptop>"}, "life": {"24h"}})
	page := rec.Body.String()
	if rec.Code != 200 || strings.Count(page, madeKey) != 1 || !strings.Contains(page, "my &lt;laptop&gt;") || !strings.Contains(page, "Never used.") {
		t.Fatalf("%d %s", rec.Code, page)
	}
	if !w.sdk[0].ExpiresAt.Equal(w.now.Add(24 * time.Hour)) {
		t.Errorf("it ends %v, want a day from now", w.sdk[0].ExpiresAt)
	}
	page = w.get("/grants/a").Body.String()
	if strings.Contains(page, madeKey) || !strings.Contains(page, madeKey[:10]+"…") || !strings.Contains(page, `href="/grants/a/keys/k1/revoke"`) {
		t.Error("the key is shown again, or is not listed")
	}
	if rec := w.get("/grants/a/keys"); rec.Code != 303 || rec.Header().Get("Location") != "/grants/a" {
		t.Errorf("the address of the answer: %d", rec.Code)
	}
}

func (w *world) ForKey(ctx context.Context, id passport.GrantID, fresh bool) (passport.Standing, error) {
	s, err := w.Standing(ctx, id)
	if err == nil && !fresh && s.Grant.Cap() > 20*passport.Dollar {
		err = problem.New(problem.SignInStale, "sign in")
	}
	return s, err
}

// TestAKeyOfMuchMoneyTakesAFreshSignIn: who has the key can spend what the app may.
func TestAKeyOfMuchMoneyTakesAFreshSignIn(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.stale = true
	form := url.Values{"name": {"laptop"}, "life": {"24h"}}
	w.list[0].Grant.Details[0].MaxBudgetCents = passport.LimitOf(2001)
	if rec := w.post("/grants/a/keys", form); rec.Header().Get("Location") != "/login" || w.again != "/grants/a#keys" || len(w.sdk) != 0 {
		t.Fatalf("%d, back to %q, %d keys", rec.Code, w.again, len(w.sdk))
	}
	w.stale = false
	says(t, w.get("/grants/a").Body.String(), "You are signed in freshly", "there is no key yet", `value="laptop"`, `value="24h" selected`)
	if len(w.sdk) != 0 {
		t.Error("coming back made a key")
	}
	says(t, w.post("/grants/a/keys", form).Body.String(), madeKey)
	w.list[0].Grant.Details[0].MaxBudgetCents, w.stale = passport.LimitOf(2000), true
	says(t, w.post("/grants/a/keys", form).Body.String(), madeKey)
}

func TestAKeyThatCannotBeMadeIsSaidAtTheField(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	if rec := w.post("/grants/a/keys", url.Values{"name": {" "}, "life": {""}}); rec.Code != 422 || !strings.Contains(rec.Body.String(), "The name needs 1 to 100 bytes") {
		t.Errorf("no name: %d", rec.Code)
	}
	if rec := w.post("/grants/a/keys", url.Values{"name": {"x"}, "life": {"9000h"}}); rec.Code < 400 || len(w.sdk) != 0 {
		t.Errorf("a life that is no choice: %d", rec.Code)
	}
	w.tooMany = true
	rec := w.post("/grants/a/keys", url.Values{"name": {"one more"}, "life": {"1h"}})
	if page := rec.Body.String(); rec.Code != 422 || !strings.Contains(page, "An app has at most 20") || !strings.Contains(page, `value="one more"`) || !strings.Contains(page, `value="1h" selected`) {
		t.Errorf("one too many: %d", rec.Code)
	}
	w.add("b", passport.GrantPaused, passport.Balance{Cap: 5e6})
	if strings.Contains(w.get("/grants/b").Body.String(), "Make a key") {
		t.Error("a paused app is offered a key")
	}
}

func TestRevokingAKeyAsksAndTells(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6})
	w.post("/grants/a/keys", url.Values{"name": {"laptop"}, "life": {""}})
	if page := w.get("/grants/a/keys/k1/revoke").Body.String(); !strings.Contains(page, "Revoke this key?") || !strings.Contains(page, madeKey[:10]) {
		t.Error("it does not ask")
	}
	if rec := w.get("/grants/a/keys/other/revoke"); rec.Code != 404 {
		t.Errorf("an unknown key: %d", rec.Code)
	}
	if page := w.after("/grants/a/keys/k1/revoke", nil); !strings.Contains(page, "The key is revoked: 2 running calls ended.") || strings.Contains(page, "/keys/k1/revoke") || w.sdk[0].RevokedAt.IsZero() {
		t.Error("it is not told, or not done")
	}
}
