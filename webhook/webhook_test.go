package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/devrelopers/aipassport/webhook"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func sender(t *testing.T, s webhook.Store, plain bool, allow []netip.Prefix) *webhook.Sender {
	t.Helper()
	box, err := seal.Open(t.TempDir() + "/kek")
	if err != nil {
		t.Fatal(err)
	}
	h, err := webhook.New(webhook.Config{Store: s, Box: box, Now: time.Now, NewID: func() string { return uuid.NewString() }, Holder: "a", Random: func(n int64) int64 { return n / 2 },
		Log: slog.New(slog.DiscardHandler), PublicURL: "https://broker.example", Plain: plain, Allow: allow, UserAgent: "aipassport/test"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// run starts the sender and waits at the end until it has ended.
func run(t *testing.T, h *webhook.Sender) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// TestThreat21OnlyOpenAddresses: what leads inside is refused, as a literal when it is set and as a name when it is dialled.
func TestThreat21OnlyOpenAddresses(t *testing.T) {
	ctx := context.Background()
	for address, ok := range map[string]bool{
		"https://93.184.215.14/": true, "https://[2606:2800:21f:cb07::1]/": true, "https://example.com/hook?a=b": true, "https://example.com:8443/": true,
		"https://127.0.0.1/": false, "https://127.9.9.9/": false, "https://0.0.0.0/": false, "https://10.1.2.3/": false, "https://172.31.0.1/": false,
		"https://192.168.1.1/": false, "https://169.254.169.254/latest/meta-data": false, "https://100.64.0.1/": false, "https://100.100.100.200/": false,
		"https://192.0.0.192/": false, "https://168.63.129.16/": false, "https://198.18.0.1/": false, "https://224.0.0.1/": false, "https://255.255.255.255/": false,
		"https://[::1]/": false, "https://[::]/": false, "https://[fe80::1]/": false, "https://[fe80::1%25eth0]/": false, "https://[fd00:ec2::254]/": false, "https://[fc00::1]/": false,
		"https://[::ffff:127.0.0.1]/": false, "https://[::ffff:10.0.0.1]/": false, "https://[64:ff9b::7f00:1]/": false, "https://[64:ff9b:1::1]/": false,
		"https://[2002:7f00:1::]/": false, "https://[2001::1]/": false, "https://[2001:db8::1]/": false, "https://[ff02::1]/": false, "https://[::7f00:1]/": false,
		"http://example.com/": false, "http://93.184.215.14/": false, "http://127.0.0.1/": false, "ftp://example.com/": false, "https://a:b@example.com/": false,
		"https://example.com/#x": false, "https:///x": false, "javascript:alert(1)": false, "": false, "https://" + strings.Repeat("x", 2000): false,
	} {
		h := sender(t, storetest.NewMemory(), true, nil)
		_, err := h.Set(ctx, address, "owner:p")
		if ok != (err == nil) || err != nil && (problem.KindOf(err) != problem.Invalid || problem.From(err).Field != "url") {
			t.Errorf("%.60s: got %v, want ok %v", address, err, ok)
		}
	}
	if _, err := sender(t, storetest.NewMemory(), false, loopback).Set(ctx, "http://127.0.0.1/", "owner:p"); err == nil {
		t.Error("http is taken although the broker is not on loopback")
	}
	if _, err := sender(t, storetest.NewMemory(), true, loopback).Set(ctx, "http://127.0.0.1/", "owner:p"); err != nil {
		t.Errorf("http to a loopback address that is listed: %v", err)
	}
}

// TestThreat21NamesAreLookedAtWhenDialled, and an event that cannot be delivered is tried later and later, ten times, with chance in it.
// The name leads to a loopback address: nothing is dialled.
func TestThreat21NamesAreLookedAtWhenDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewMemory()
		h := sender(t, s, true, nil)
		ctx := context.Background()
		if _, err := h.Set(ctx, "https://localhost/x", "owner:p"); err != nil {
			t.Fatal(err)
		}
		if err := h.Test(ctx, "owner:p"); err != nil {
			t.Fatal(err)
		}
		run(t, h)
		var gaps []time.Duration
		for try := int64(1); ; try++ {
			synctest.Wait()
			w, err := h.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if w.Waiting == 0 {
				if try != 10 || !strings.HasPrefix(w.LastError, "given up after 10 tries: ") {
					t.Errorf("gave up at try %d: %s", try, w.LastError)
				}
				break
			}
			if w.Tries != try || !strings.Contains(w.LastError, "is not open to everyone") {
				t.Fatalf("try %d: got %+v", try, w)
			}
			gap := w.NextAt.Sub(w.LastAt)
			gaps = append(gaps, gap)
			time.Sleep(time.Until(w.NextAt) - time.Millisecond)
			synctest.Wait()
			if w, _ := h.Status(ctx); w.Tries != try {
				t.Fatalf("tried again before %v had passed", gap)
			}
			time.Sleep(2 * time.Second)
		}
		for i, want := range []time.Duration{5, 20, 80, 320, 1280, 3600, 3600, 3600, 3600} {
			if gaps[i] != want*time.Second {
				t.Errorf("wait %d is %v, want %v: chance is in the middle", i+1, gaps[i], want*time.Second)
			}
		}
		// What is more than a day old when its turn comes is not sent.
		old := passport.Event{ID: "old", Kind: passport.WebhookTested, At: time.Now().Add(-24*time.Hour - time.Minute)}
		if err := s.TestWebhook(ctx, old); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if w, _ := h.Status(ctx); w.Waiting != 0 || w.LastError != "given up: it is more than a day old" {
			t.Errorf("got %+v", w)
		}
	})
}

// post is what a receiver got.
type post struct {
	header http.Header
	body   string
}

// receiver answers with the statuses in turn, the last one again and again.
func receiver(t *testing.T, answer func(n int64, w http.ResponseWriter)) (string, chan post) {
	t.Helper()
	got := make(chan post, 100)
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("got %s, %v", r.Method, err)
		}
		got <- post{r.Header, string(all)}
		answer(n.Add(1), w)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

// verify checks a signature as the standard says.
func verify(t *testing.T, secret string, p post) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !strings.HasPrefix(secret, "whsec_") || len(key) < 24 || len(key) > 64 {
		t.Fatalf("a bad secret: %v", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(p.header.Get("Webhook-Id") + "." + p.header.Get("Webhook-Timestamp") + "." + p.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); p.header.Get("Webhook-Signature") != want {
		t.Errorf("signature %s, want %s", p.header.Get("Webhook-Signature"), want)
	}
	if strings.Contains(p.header.Get("Webhook-Id"), ".") {
		t.Errorf("id %s has a full stop", p.header.Get("Webhook-Id"))
	}
}

func TestEventsAreDeliveredSignedAndInOrder(t *testing.T) {
	ctx := context.Background()
	url, got := receiver(t, func(_ int64, w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) })
	s := storetest.NewMemory()
	h := sender(t, s, true, loopback)
	secret, err := h.Set(ctx, url+"/secret-path", "owner:p")
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Status(ctx)
	if err != nil || w.Site != url || strings.Contains(string(w.Sealed), "secret-path") || strings.Contains(string(w.Sealed), secret[6:]) {
		t.Errorf("got %q, %v: the address and the secret are to be sealed", w.Site, err)
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	for i, ev := range []passport.Event{
		{ID: "rv1:grant.near_cap", Kind: passport.GrantNearCap, At: at, Actor: "broker", Grant: "g1", Note: "$4.00 of $5.00 is spent"},
		{ID: "none", Kind: passport.TokenIssued, At: at, Grant: "g1"}, // not told
		{ID: "rv2:grant.spent", Kind: passport.GrantSpent, At: at.Add(time.Millisecond), Actor: "broker", Grant: "g1", Note: "all of $5.00 is spent"},
	} {
		if err := s.TestWebhook(ctx, ev); err != nil {
			t.Fatal(i, err)
		}
	}
	run(t, h)
	first, second := <-got, <-got
	verify(t, secret, first)
	verify(t, secret, second)
	var body map[string]any
	if err := json.Unmarshal([]byte(first.body), &body); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"grant.near_cap","timestamp":"` + at.Format(time.RFC3339Nano) + `","data":{"event":"rv1:grant.near_cap","grant":"g1","note":"$4.00 of $5.00 is spent","link":"https://broker.example/grants/g1"}}`
	if first.body != want || first.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s, want %s", first.body, want)
	}
	if !strings.Contains(second.body, `"type":"grant.spent"`) {
		t.Errorf("got %s second", second.body)
	}
	if d := time.Since(time.Unix(atoi(t, first.header.Get("Webhook-Timestamp")), 0)); d < -time.Minute || d > time.Minute {
		t.Errorf("the timestamp is off by %v", d)
	}
}

func atoi(t *testing.T, s string) (n int64) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// tried waits until a try is written down.
func tried(h *webhook.Sender) (w passport.Webhook, err error) {
	for w.LastAt.IsZero() && err == nil {
		w, err = h.Status(context.Background())
	}
	return w, err
}

// TestWhatAReceiverAnswers: only 2xx is delivered, redirects are not followed, 410 is not tried again, an endless answer is left.
func TestWhatAReceiverAnswers(t *testing.T) {
	ctx := context.Background()
	inside, hit := receiver(t, func(_ int64, w http.ResponseWriter) { w.WriteHeader(200) })
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter)
		text    string
		waiting int64
	}{
		"200":      {func(w http.ResponseWriter) { w.WriteHeader(200) }, "", 0},
		"500":      {func(w http.ResponseWriter) { w.WriteHeader(500) }, "answered 500", 1},
		"410":      {func(w http.ResponseWriter) { w.WriteHeader(410) }, "answered 410: it wants no more of this", 0},
		"redirect": {func(w http.ResponseWriter) { w.Header().Set("Location", inside); w.WriteHeader(307) }, "answered 307: redirects are not followed", 1},
		"endless": {func(w http.ResponseWriter) {
			for range 1000 {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "", 0},
		"retry after": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "600"); w.WriteHeader(503) }, "answered 503", 1},
	} {
		t.Run(name, func(t *testing.T) {
			url, got := receiver(t, func(_ int64, w http.ResponseWriter) { c.answer(w) })
			h := sender(t, storetest.NewMemory(), true, loopback)
			if _, err := h.Set(ctx, url, "owner:p"); err != nil {
				t.Fatal(err)
			}
			if err := h.Test(ctx, "owner:p"); err != nil {
				t.Fatal(err)
			}
			run(t, h)
			<-got
			w, err := tried(h)
			if err != nil || w.LastError != c.text || w.Waiting != c.waiting || w.LastKind != passport.WebhookTested {
				t.Errorf("got %+v %v, want %q", w, err, c.text)
			}
			if gap := w.NextAt.Sub(w.LastAt); name == "retry after" && gap != 10*time.Minute {
				t.Errorf("waits %v, want as long as it was asked to", gap)
			}
		})
	}
	if len(hit) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestARetryHasTheSameID, so that a receiver can tell that it is the same.
func TestARetryHasTheSameID(t *testing.T) {
	ctx := context.Background()
	url, got := receiver(t, func(n int64, w http.ResponseWriter) { w.WriteHeader(map[bool]int{true: 500, false: 200}[n == 1]) })
	h := sender(t, storetest.NewMemory(), true, loopback)
	secret, err := h.Set(ctx, url, "owner:p")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Test(ctx, "owner:p"); err != nil {
		t.Fatal(err)
	}
	run(t, h)
	first := <-got
	if _, err := tried(h); err != nil {
		t.Fatal(err)
	}
	if err := h.Test(ctx, "owner:p"); err != nil { // hurries what waits
		t.Fatal(err)
	}
	second := <-got
	verify(t, secret, first)
	verify(t, secret, second)
	if first.header.Get("Webhook-Id") != second.header.Get("Webhook-Id") || first.body != second.body {
		t.Errorf("got %v then %v", first, second)
	}
}
