package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

var signingSecret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`)

// note is what the owner's server got.
type note struct {
	header http.Header
	body   string
}

// hooked is a server of the owner's on loopback; while down it answers 500.
type hooked struct {
	url  string
	got  chan note
	down atomic.Bool
}

func ownersServer(t *testing.T) *hooked {
	h := &hooked{got: make(chan note, 100)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if h.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		h.got <- note{r.Header, string(all)}
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// next waits for a message of a type, and checks its signature.
func (h *hooked) next(t *testing.T, secret, kind string) note {
	t.Helper()
	for {
		select {
		case n := <-h.got:
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
			if err != nil {
				t.Fatal(err)
			}
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(n.header.Get("Webhook-Id") + "." + n.header.Get("Webhook-Timestamp") + "." + n.body))
			if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); n.header.Get("Webhook-Signature") != want {
				t.Errorf("signature %s, want %s", n.header.Get("Webhook-Signature"), want)
			}
			if strings.Contains(n.body, `"type":"`+kind+`"`) {
				return n
			}
		case <-time.After(testutil.Patience):
			t.Fatalf("no message of type %s came", kind)
		}
	}
}

// TestTheWebhookTellsWhatAnAppSpends: set on the page, tested, told of 80 % and of a revoke; what came while the server was down and the
// broker was killed comes after.
func TestTheWebhookTellsWhatAnAppSpends(t *testing.T) {
	srv := ownersServer(t)
	b := start(t, env{"AIPASSPORT_WEBHOOK_ALLOW": "127.0.0.0/8"})
	p := b.setUp()
	secret := p.hook(srv.url + "/path-canary-1188")
	p.open("/settings")
	if strings.Contains(string(p.page.body), secret) {
		t.Error("the secret is shown twice")
	}
	p.submit("/settings/webhook", url.Values{"do": {"test"}})
	srv.next(t, secret, "webhook.tested")

	s := native[0]
	g := b.give(s.scope(100, 5))
	srv.next(t, secret, "grant.approved")
	for range 4 {
		if a := b.call(s, g.token, "x"); a.status != 200 {
			t.Fatal(a)
		}
	}
	n := srv.next(t, secret, "grant.near_calls")
	if !strings.Contains(n.body, g.id) || !strings.Contains(n.body, "4 of 5 calls are used") || !strings.Contains(n.body, "/grants/"+g.id+`"`) ||
		strings.Contains(n.body, canaryPrompt) {
		t.Errorf("got %s", n.body)
	}

	srv.down.Store(true)
	if a := b.owner("POST", "/grants/"+g.id+"/revoke", ""); a.status != 200 {
		t.Fatal(a)
	}
	first := srv.next(t, secret, "grant.revoked")
	b.kill()
	srv.down.Store(false)
	b.run()
	if again := srv.next(t, secret, "grant.revoked"); again.header.Get("Webhook-Id") != first.header.Get("Webhook-Id") {
		t.Errorf("got the id %s, then %s", first.header.Get("Webhook-Id"), again.header.Get("Webhook-Id"))
	}
	for _, text := range []string{"path-canary-1188", secret[6:]} {
		if b.onDisk(text) {
			t.Error("the address or the secret is on disk in clear")
		}
		if strings.Contains(b.log.tail(-1), text) {
			t.Error("the address or the secret is in the log")
		}
	}
	p.open("/grants/" + g.id)
	if !strings.Contains(p.text(), "80 % of its calls are used") {
		t.Errorf("the app's page does not tell: %s", p.text())
	}
}

// hook sets the webhook on the page, and returns its secret.
func (p *person) hook(address string) (secret string) {
	p.b.t.Helper()
	p.open("/settings")
	v := p.form("/settings/webhook")
	v.Set("do", "set")
	v.Set("url", address)
	a := p.b.send("POST", "/settings/webhook", v.Encode(), p.headers(false))
	secret = signingSecret.FindString(strings.ReplaceAll(string(a.body), "&#43;", "+"))
	if a.status != 200 || secret == "" {
		p.b.t.Fatal(a)
	}
	return secret
}

// TestTwoInstancesSendEachEventOnce: two brokers on one Postgres, events at both. Each comes, and none twice. (That the other goes on when
// one dies is the lease's: 45 s, and the contract of the stores has it.)
func TestTwoInstancesSendEachEventOnce(t *testing.T) {
	srv := ownersServer(t)
	a, b := two(t, pgtest.Database(t), env{"AIPASSPORT_WEBHOOK_ALLOW": "127.0.0.0/8"})
	secret := a.setUp().hook(srv.url)
	at := map[string]int{} // how often the approval of a grant came
	approve := func(by ...*broker) {
		t.Helper()
		given := map[string]bool{}
		for _, x := range by {
			given[x.give(native[0].scope(100, 5)).id] = true
		}
		for len(given) > 0 {
			n := srv.next(t, secret, "grant.approved")
			for id := range given {
				if strings.Contains(n.body, id) {
					delete(given, id)
				}
			}
			at[n.header.Get("Webhook-Id")]++
		}
	}
	approve(a, b, a, b, b, a, b, a, a, b, a, b)
	approve(b)
	approve(a)
	for id, n := range at {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	if len(at) != 14 {
		t.Errorf("%d events came of 14", len(at))
	}
}

// TestThreat21WebhooksGoNowhereInside: without the operator's list no loopback or private address is taken.
func TestThreat21WebhooksGoNowhereInside(t *testing.T) {
	srv := ownersServer(t)
	b := start(t, nil)
	p := b.setUp()
	for _, address := range []string{srv.url, strings.Replace(srv.url, "http:", "https:", 1), "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://10.0.0.1/"} {
		p.open("/settings")
		v := p.form("/settings/webhook")
		v.Set("do", "set")
		v.Set("url", address)
		if a := b.send("POST", "/settings/webhook", v.Encode(), p.headers(false)); a.status != 422 {
			t.Errorf("%s: got %d, want 422", address, a.status)
		}
	}
	// A name that leads inside is taken, and looked at when it is dialled.
	p.open("/settings")
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.url, "http://"), ":")
	v := p.form("/settings/webhook")
	v.Set("do", "set")
	v.Set("url", "https://localhost:"+port+"/")
	if a := b.send("POST", "/settings/webhook", v.Encode(), p.headers(false)); a.status != 200 {
		t.Fatal(a)
	}
	p.open("/settings")
	p.submit("/settings/webhook", url.Values{"do": {"test"}})
	ctx := testutil.Context(t)
	for !strings.Contains(p.text(), "is not open to everyone") {
		if ctx.Err() != nil {
			t.Fatalf("the page does not say why nothing arrives: %s", p.text())
		}
		p.open("/settings")
	}
	if len(srv.got) != 0 {
		t.Error("something was sent inside")
	}
}
