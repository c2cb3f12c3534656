package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// revoking takes the credential for an SDK key that lives when it is asked for the first time, and that is revoked right then, before the
// call is on the board.
type revoking struct {
	tokens
	key   bool
	other bool // it is another key that is revoked
	asked *atomic.Int64
}

func (r revoking) Admit(ctx context.Context, by token.Shown) (token.Passport, passport.Standing, error) {
	p, s, err := r.tokens.Admit(ctx, by)
	p.Key = r.key
	if r.asked.Add(1) > 1 {
		if !r.other {
			err = problem.New(problem.Unauthenticated, "Token has been revoked")
		}
		return p, s, err
	}
	gone := p.Token
	if r.other {
		gone = "another"
	}
	if n := r.d.board.EndKey(gone, problem.New(problem.GrantEnded, "the SDK key was revoked")); n != 0 {
		panic("the call is on the board already")
	}
	return p, s, err
}

func (r revoking) Look(ctx context.Context, access string) (token.Passport, passport.Standing, error) {
	return r.Admit(ctx, token.Shown{Access: access})
}

// TestThreat33AKeyRevokedBeforeTheCallIsOnTheBoard is seen by the call itself: nobody can end it, and the hold does not look at keys or
// tokens. Another key's end ends nothing.
func TestThreat33AKeyRevokedBeforeTheCallIsOnTheBoard(t *testing.T) {
	for name, c := range map[string]struct {
		key, other bool
		status     int
		asked      int64
	}{
		"its own":     {true, false, 401, 2},
		"another key": {true, true, 200, 2},
		"a token":     {false, true, 200, 2}, // it can be revoked by itself too
	} {
		d := open(t, false)
		r := revoking{tokens{d: d}, c.key, c.other, &atomic.Int64{}}
		d.gw.Tokens = r
		req, err := http.NewRequestWithContext(t.Context(), "POST", d.srv.URL+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer aip_x")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if sent := len(d.fake.Requests()); res.StatusCode != c.status || r.asked.Load() != c.asked || (sent == 0) != (c.status == 401) {
			t.Errorf("%s: %s, asked %d times, %d upstream; want %d and %d", name, res.Status, r.asked.Load(), sent, c.status, c.asked)
		}
	}
}
