package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// addKey puts a key in, as the owner at the REST API.
func (b *broker) addKey(body string) (id string) {
	b.t.Helper()
	a := b.owner("POST", "/keys", body)
	if a.status != 201 || a.str("state") != "works" {
		b.t.Fatal(a)
	}
	return a.str("id")
}

// TestLimitOfOneKey: two apps spend what one key may in a month and not more; then the app is told so, without amounts; another key of the
// same provider goes on when it is made the default, from the next call on.
func TestLimitOfOneKey(t *testing.T) {
	b := start(t, env{"OPENAI_API_KEY": ""})
	b.keepSecret(openAIKey)
	p := b.setUp()
	s := native[0]
	first := b.addKey(fmt.Sprintf(`{"provider":"openai","label":"first","key":%q,"monthlyLimitCents":10}`, openAIKey))
	second := b.addKey(fmt.Sprintf(`{"provider":"openai","label":"second","key":%q}`, openAIKey))
	grants := []grant{b.give(s.scope(1000, 1000)), b.give(s.scope(1000, 1000))}
	b.fake.Always(fakeprovider.Behaviour{Worst: true})
	call := func(i int) answer {
		return b.send("POST", s.path, s.body(s.model, "x", 4000, false), s.auth(grants[i%2].token))
	}
	for i := 0; ; i++ {
		a := call(i)
		if a.status == 429 {
			if said := a.str("error.message"); !strings.Contains(said, "the owner's limit for the provider key in use for this month") || strings.Contains(said, "$0.1 ") {
				t.Errorf("refused with %q", said)
			}
			break
		}
		if a.status != 200 || i > 100 {
			t.Fatalf("call %d: %s", i, a)
		}
	}
	billed := b.fake.Billed()
	if billed == 0 || billed > 100_000 {
		t.Errorf("billed %d of $0.10", billed)
	}
	standing := b.send("GET", "/v1/grant", "", s.auth(grants[0].token))
	if !strings.Contains(string(standing.body), `"over":"key"`) {
		t.Errorf("what binds is not told: %s", standing)
	}
	p.open("/keys/" + first)
	for _, want := range []string{tenThousandths(b.settled(grants[0].id).SettledMicroUsd+b.settled(grants[1].id).SettledMicroUsd) + "spent of $0.10 in ", "2 apps use it", "Works, tested"} {
		if !strings.Contains(p.text(), want) {
			t.Errorf("the page does not say %q: %s", want, p.text())
		}
	}
	p.open("/keys/" + second)
	p.submit("/keys/"+second+"/default", nil)
	if a := call(0); a.status != 200 {
		t.Errorf("with the other key: %s", a)
	}
	if a := b.owner("POST", "/keys/"+first+"/default", ""); a.status != 200 {
		t.Error(a)
	}
	if a := call(0); a.status != 429 {
		t.Errorf("with the first key again: %s", a)
	}
	b.kill()
	b.run()
	if a := call(1); a.status != 429 {
		t.Errorf("after a restart: %s", a)
	}
	if a := b.owner("POST", "/keys/"+first+"/limit", `{"monthlyLimitCents":null}`); a.status != 200 {
		t.Error(a)
	}
	if a := call(1); a.status != 200 {
		t.Errorf("without the limit: %s", a)
	}
	b.verify()
}

// TestSecretIsReplacedWithoutAGap: a stream that runs goes on with the old secret to its end, while the next calls have the new one; one that
// the provider does not take, or that cannot be tested, changes nothing. Neither is seen anywhere.
func TestSecretIsReplacedWithoutAGap(t *testing.T) {
	const next, bad = "sk-canary-openai-next-7d7d7d7d7d7d", "sk-canary-openai-bad-8e8e8e8e8e8e"
	b := start(t, env{"OPENAI_API_KEY": ""})
	for _, key := range []string{openAIKey, next, bad} {
		b.keepSecret(key)
	}
	p := b.setUp()
	s := native[0]
	id := b.addKey(fmt.Sprintf(`{"provider":"openai","label":"mine","key":%q}`, openAIKey))
	g := b.give(s.scope(1000, 1000))
	gate := make(chan struct{})
	b.fake.When("in pieces", fakeprovider.Behaviour{Chunks: 4, Gate: gate})
	st, err := b.stream(s, g.token, "in pieces", 50)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	testutil.Open(t, gate)
	if err := st.piece(0); err != nil {
		t.Fatal(err)
	}

	rotate := func(key string, want int) answer {
		t.Helper()
		a := b.owner("POST", "/keys/"+id+"/rotate", fmt.Sprintf(`{"key":%q}`, key))
		if a.status != want || strings.Contains(string(a.body), "canary") {
			t.Errorf("rotate: %s", a)
		}
		return a
	}
	if a := rotate(bad, 400); !strings.Contains(string(a.body), "OpenAI refused it (401)") {
		t.Errorf("refused with %s", a)
	}
	if a := b.call(s, g.token, "still the old one"); a.status != 200 {
		t.Errorf("after a secret that was refused: %s", a)
	}
	b.fake.Rekey(fakeprovider.Keys{OpenAI: next})
	p.open("/keys/" + id)
	p.submit("/keys/"+id+"/rotate", url.Values{"key": {next}})
	if !strings.Contains(p.text(), "The new secret works and is in use.") {
		t.Fatalf("at %s: %s", p.path, p.text())
	}
	if a := b.call(s, g.token, "the new one"); a.status != 200 {
		t.Errorf("after the new secret: %s", a)
	}
	for range 3 {
		testutil.Open(t, gate)
	}
	if all, err := st.rest(); err != nil || !whole(all) {
		t.Errorf("the stream that ran: %v, %s", err, all)
	}
	for text, key := range map[string]string{"in pieces": openAIKey, "still the old one": openAIKey, "the new one": next} {
		got := b.fake.With(text)
		if len(got) != 1 || got[0].Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%s: %d requests, not all with the right secret", text, len(got))
		}
	}
	if a := b.owner("GET", "/keys", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), `"rotatedAt":"2`) || !strings.Contains(string(a.body), `"state":"works"`) {
		t.Error(a)
	}
	b.verify()
}
