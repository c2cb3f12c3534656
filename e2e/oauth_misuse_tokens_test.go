package e2e_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// rotated replaces a refresh token and returns a check for when the ten seconds are over in which the old one may come again.
func (f *fleet) rotated() func(*testing.T) {
	f.t.Helper()
	a := f.register(nil)
	old := a.tokens()
	next := f.got(a.refresh(old.refresh, nil))
	then := time.Now()
	return func(t *testing.T) {
		for time.Since(then) < 10500*time.Millisecond { // most of it went by with the other cases
			f.standing(old.grant)
		}
		f.refused(a.refresh(old.refresh, nil), 400, "invalid_grant")
		f.refused(a.refresh(next.refresh, nil), 400, "invalid_grant")
		if f.usable(old.access) || f.usable(next.access) {
			t.Error("an access token of the family still works")
		}
	}
}

// wider are details that ask for more than miniChat, each in one member.
func wider(from string) map[string]string {
	return map[string]string{
		"money":      strings.Replace(from, `"maxBudgetCents":500`, `"maxBudgetCents":501`, 1),
		"calls":      strings.Replace(from, `"maxRequests":100`, `"maxRequests":101`, 1),
		"rate":       strings.Replace(from, `"rateLimit":1000`, `"rateLimit":1001`, 1),
		"model":      strings.Replace(from, `["gpt-4o-mini"]`, `["gpt-4o-mini","gpt-4o"]`, 1),
		"any model":  strings.Replace(from, `"models":["gpt-4o-mini"],`, `"models":[],`, 1),
		"capability": strings.Replace(from, `["chat"]`, `["chat","embeddings"]`, 1),
		"provider":   strings.Replace(from, `"openai"`, `"anthropic"`, 1),
		"delegation": strings.Replace(strings.Replace(from, `,"maxDelegationDepth":1`, "", 1), `}]`, `,"maxDelegationDepth":2}]`, 1),
	}
}

var tokenMisuse = []misuse{
	{"an old refresh token within ten seconds gives the same successor", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		old := a.tokens()
		next := f.got(a.refresh(old.refresh, nil))
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				got, err := f.tryForm("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {a.id}, "refresh_token": {old.refresh}}.Encode(), nil)
				if err != nil || got.str("refresh_token") != next.refresh {
					t.Errorf("got %s %v, want the same successor", got, err)
				}
			})
		}
		all.Wait()
		if got := f.got(a.refresh(next.refresh, nil)); !f.usable(got.access) || got.refresh == next.refresh || got.refresh == old.refresh {
			t.Error("the successor does not go on")
		}
		f.refused(a.refresh(old.refresh, nil), 400, "invalid_grant") // its successor was used: who has the old one has not lost an answer
		f.refused(a.refresh(next.refresh, nil), 400, "invalid_grant")
		if f.usable(old.access) {
			t.Error("the family goes on")
		}
	}},
	{"a refresh token at another client, in pieces, as an access token", func(t *testing.T, f *fleet) {
		a, b := f.register(nil), f.register(another)
		got := a.tokens()
		f.refused(b.refresh(got.refresh, nil), 400, "invalid_grant")
		f.refused(a.refresh(got.refresh[:len(got.refresh)-1], nil), 400, "invalid_grant")
		f.refused(a.refresh(got.access, nil), 400, "invalid_grant")
		f.refused(a.refresh("", nil), 400, "invalid_request")
		if f.usable(got.refresh) {
			t.Error("a refresh token is taken as an access token")
		}
		if !f.usable(f.got(a.refresh(got.refresh, nil)).access) {
			t.Error("the family did not survive strangers")
		}
	}},
	{"widening at refresh", func(t *testing.T, f *fleet) {
		a := f.register(nil)
		got := a.tokens()
		for what, details := range wider(miniChat) {
			if a := a.refresh(got.refresh, nil, "authorization_details", details); a.status != 400 || a.str("error") != "invalid_authorization_details" {
				t.Errorf("%s: got %s", what, a)
			}
		}
		f.refused(a.refresh(got.refresh, nil, "authorization_details", strings.Replace(miniChat, "500", "50", 1)), 400, "invalid_authorization_details") // less is exchange's
		if same := a.refresh(got.refresh, nil, "authorization_details", miniChat); !f.usable(f.got(same).access) {
			t.Errorf("as it was granted: %s", same)
		}
	}},
}
