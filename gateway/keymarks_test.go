package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// TestARefusedKeyIsNotedUntilACallGoesWell: once, however many calls are refused. An app that has a provider forbid calls, between others
// that go well, has its owner told at most once in ten minutes.
func TestARefusedKeyIsNotedUntilACallGoesWell(t *testing.T) {
	var skew atomic.Int64
	d := openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }})
	if _, err := d.vault.Add(t.Context(), passport.OwnerPays, passport.OpenAI, "mine", secret.New(providerKey), "owner:p"); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	serve := d.srv.Config.Handler
	d.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { defer running.Done(); serve.ServeHTTP(w, r) })
	call := func(status, want int) {
		t.Helper()
		if status != 200 {
			d.fake.Next(fakeprovider.Behaviour{Status: status})
		}
		running.Add(1)
		res := d.post(t, `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`)
		defer res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("the provider answers %d: got %d, want %d", status, res.StatusCode, want)
		}
	}
	told := func(want ...string) {
		t.Helper()
		running.Wait() // for what is done after an answer
		events, _, err := d.store.Events(t.Context(), 0, 1000)
		var got []string
		for _, ev := range events {
			if ev.Kind == passport.CredentialRefused || ev.Kind == passport.CredentialAccepted {
				got = append(got, fmt.Sprint(ev.Kind, " ", ev.Note))
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q (%v)", got, want, err)
		}
	}
	const refused, accepted = "credential.refused openai mine", "credential.accepted openai mine"
	call(200, 200)
	call(500, 500)
	told()
	call(401, 502)
	call(401, 502)
	call(500, 500) // says nothing of the key
	call(429, 429)
	told(refused)
	call(200, 200)
	told(refused, accepted)
	for range 3 {
		call(403, 502)
		call(200, 200)
	}
	told(refused, accepted)
	skew.Store(int64(gateway.KeyMarks))
	call(403, 502)
	call(200, 200)
	told(refused, accepted, refused, accepted)
}
