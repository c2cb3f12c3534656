package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func (m *memory) Seen(_ context.Context, _ passport.SeenKind, h [32]byte, until time.Time) (fresh bool, err error) {
	err = m.do(nil, func() error {
		_, was := m.seen[h]
		m.seen[h], fresh = until, !was
		return nil
	})
	return fresh, err
}

func (m *memory) AddPasskey(_ context.Context, k passport.Passkey, ev passport.Event) error {
	return m.do(&ev, func() error { m.passkeys = append(m.passkeys, k); return nil })
}

func (m *memory) Passkeys(_ context.Context, who passport.PersonID) (out []passport.Passkey, err error) {
	err = m.do(nil, func() error { out = append(out, m.passkeys...); return nil })
	return out, err
}

func (m *memory) HasPasskeys(context.Context) (has bool, err error) {
	err = m.do(nil, func() error { has = len(m.passkeys) > 0; return nil })
	return has, err
}

func (m *memory) UsePasskey(_ context.Context, u passport.Passkey, refused passport.Event) (ok bool, err error) {
	err = m.do(nil, func() error {
		for n, k := range m.passkeys {
			if string(k.ID) == string(u.ID) && u.SignCount > k.SignCount {
				m.passkeys[n].SignCount, ok = u.SignCount, true
			}
		}
		if !ok {
			m.events = append(m.events, refused)
		}
		return nil
	})
	return ok, err
}

func (m *memory) RenamePasskey(_ context.Context, _ passport.PersonID, id []byte, label string, ev passport.Event) error {
	return m.do(&ev, func() error {
		for n, k := range m.passkeys {
			if string(k.ID) == string(id) {
				m.passkeys[n].Label = label
				return nil
			}
		}
		return problem.New(problem.NotFound, "no passkey")
	})
}

func (m *memory) RemovePasskey(_ context.Context, _ passport.PersonID, id []byte, ev passport.Event) error {
	return m.do(&ev, func() error {
		for n, k := range m.passkeys {
			if string(k.ID) == string(id) {
				m.passkeys = append(m.passkeys[:n], m.passkeys[n+1:]...)
				return nil
			}
		}
		return problem.New(problem.NotFound, "no passkey")
	})
}

// authenticator is one with a key of its own, of what the browser says too (WebAuthn Level 3 §6.1, §5.8.1).
type authenticator struct {
	key        *ecdsa.PrivateKey
	id, handle []byte
	count      uint32
	flags      byte // UP 1, UV 4
	rp, origin string
}

func newAuthenticator(t *testing.T) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{key: key, id: []byte("credential-of-tests"), flags: 5, rp: "localhost", origin: "http://localhost:3001", count: 1}
}

var b64 = base64.RawURLEncoding.EncodeToString

func (a *authenticator) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	return b
}

func (a *authenticator) data(more byte) []byte {
	rp := sha256.Sum256([]byte(a.rp))
	return binary.BigEndian.AppendUint32(append(rp[:], a.flags|more), a.count)
}

// create is a registration, without attestation.
func (a *authenticator) create(challenge string) string {
	pub, _ := a.key.PublicKey.Bytes() // 4, x, y
	auth := append(a.data(0x40), make([]byte, 16)...)
	auth = append(binary.BigEndian.AppendUint16(auth, uint16(len(a.id))), a.id...)
	auth = append(auth, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32) // COSE: EC2, ES256, P-256, x
	auth = append(append(append(auth, pub[1:33]...), 0x22, 0x58, 32), pub[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(auth)))
	out, _ := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": map[string]any{
		"clientDataJSON": b64(a.client("webauthn.create", challenge)), "attestationObject": b64(append(object, auth...)), "transports": []string{"internal"}}})
	return string(out)
}

// get is a sign-in.
func (a *authenticator) get(challenge string) string {
	client, auth := a.client("webauthn.get", challenge), a.data(0)
	sum := sha256.Sum256(client)
	signed := sha256.Sum256(append(append([]byte{}, auth...), sum[:]...))
	sig, _ := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	out, _ := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(auth), "signature": b64(sig), "userHandle": b64(a.handle)}})
	return string(out)
}

// challenge asks for options.
func (w *world) challenge(path string) (status int, challenge string) {
	w.t.Helper()
	rec := w.send("POST", path, nil, "Sec-Fetch-Site", "same-origin")
	var o struct{ PublicKey struct{ Challenge string } }
	json.Unmarshal(rec.Body.Bytes(), &o)
	return rec.Code, o.PublicKey.Challenge
}

// registered is a world whose owner has a passkey, and signed out.
func registered(t *testing.T) (*world, *authenticator) {
	t.Helper()
	w := newWorld(t, "http://localhost:3001")
	w.join()
	a := newAuthenticator(t)
	a.handle = []byte(w.store.person.ID)
	status, c := w.challenge("/settings/passkeys/options")
	rec := w.send("POST", "/settings/passkeys", url.Values{"csrf": {w.settingsToken()}, "label": {"laptop"}, "credential": {a.create(c)}})
	if status != 200 || rec.Code != 303 || rec.Header().Get("Location") != "/settings" || len(w.store.passkeys) != 1 || w.store.passkeys[0].Label != "laptop" {
		t.Fatalf("registered: %d %d %s", status, rec.Code, rec.Body)
	}
	w.send("POST", "/logout", url.Values{"csrf": {w.settingsToken()}})
	return w, a
}

// settingsToken is what a page of the owner carries: a page of ours that has it.
func (w *world) settingsToken() string {
	w.t.Helper()
	_, said := commandLine("80")
	return w.csrf(w.send("GET", "/login/cli?"+said.Encode(), nil).Body.String())
}

// enter answers a challenge at the sign-in page.
func (w *world) enter(answer string) *httptest.ResponseRecorder {
	w.t.Helper()
	page := w.send("GET", "/login?again=yes&next=/keys", nil).Body.String()
	return w.send("POST", "/login/passkey", url.Values{"csrf": {w.csrf(page)}, "next": {"/keys"}, "credential": {answer}})
}

func TestAPasskeySignsIn(t *testing.T) {
	w, a := registered(t)
	for range 2 {
		w.jar = map[string]*http.Cookie{}
		_, c := w.challenge("/login/passkey/options")
		a.count++
		if rec := w.enter(a.get(c)); rec.Code != 303 || rec.Header().Get("Location") != "/keys" {
			t.Fatalf("signed in: %d %s", rec.Code, rec.Body)
		}
		if who, err := w.who("GET"); err != nil || who != w.store.person.ID {
			t.Fatalf("is %q %v", who, err)
		}
	}
}

// TestMisusedPasskeysAreRefused: each is a sign-in that is right but for one thing.
func TestMisusedPasskeysAreRefused(t *testing.T) {
	for name, misuse := range map[string]func(w *world, a *authenticator, c string) string{
		"nothing":           func(_ *world, a *authenticator, c string) string { return a.get(c) },
		"another origin":    func(_ *world, a *authenticator, c string) string { a.origin = "http://evil.example"; return a.get(c) },
		"another port":      func(_ *world, a *authenticator, c string) string { a.origin = "http://localhost:3002"; return a.get(c) },
		"another party":     func(_ *world, a *authenticator, c string) string { a.rp = "evil.example"; return a.get(c) },
		"not verified":      func(_ *world, a *authenticator, c string) string { a.flags = 1; return a.get(c) },
		"nobody there":      func(_ *world, a *authenticator, c string) string { a.flags = 4; return a.get(c) },
		"a copy":            func(_ *world, a *authenticator, c string) string { a.count--; return a.get(c) },
		"another key":       func(_ *world, a *authenticator, c string) string { a.key = newAuthenticator(t).key; return a.get(c) },
		"another person":    func(_ *world, a *authenticator, c string) string { a.handle = []byte("id-x"); return a.get(c) },
		"no person":         func(_ *world, a *authenticator, c string) string { a.handle = nil; return a.get(c) },
		"another challenge": func(_ *world, a *authenticator, _ string) string { return a.get(strings.Repeat("A", 43)) },
		"too late":          func(w *world, a *authenticator, c string) string { w.now = w.now.Add(5 * time.Minute); return a.get(c) },
		"no cookie": func(w *world, a *authenticator, c string) string {
			delete(w.jar, "aipassport-challenge")
			return a.get(c)
		},
		"another browser": func(w *world, a *authenticator, c string) string { delete(w.jar, "aipassport-door"); return a.get(c) },
		"a registration":  func(_ *world, a *authenticator, c string) string { return a.create(c) },
		"not JSON":        func(*world, *authenticator, string) string { return "{" },
		"too long":        func(_ *world, a *authenticator, c string) string { return a.get(c) + strings.Repeat(" ", 32<<10) },
	} {
		w, a := registered(t)
		_, c := w.challenge("/login/passkey/options")
		a.count++
		rec := w.enter(misuse(w, a, c))
		if name == "nothing" {
			if rec.Code != 303 {
				t.Errorf("%s: %d", name, rec.Code)
			}
			continue
		}
		if rec.Code != 401 || len(w.store.sessions) != 0 {
			t.Errorf("%s: %d, %d sessions", name, rec.Code, len(w.store.sessions))
		}
		if name == "a copy" && (!strings.Contains(rec.Body.String(), "a copy of it") || w.store.events[len(w.store.events)-1].Kind != passport.PasskeyRefused) {
			t.Errorf("a copy is not told of: %s", rec.Body)
		}
	}
}

func TestAChallengeIsAnsweredOnce(t *testing.T) {
	w, a := registered(t)
	_, c := w.challenge("/login/passkey/options")
	cookie, door := w.jar["aipassport-challenge"], w.jar["aipassport-door"]
	a.count++
	answer := a.get(c)
	if rec := w.enter(answer); rec.Code != 303 {
		t.Fatalf("first: %d", rec.Code)
	}
	w.jar = map[string]*http.Cookie{cookie.Name: cookie, door.Name: door}
	a.count++
	if rec := w.enter(a.get(c)); rec.Code != 401 || !strings.Contains(rec.Body.String(), "used already") {
		t.Errorf("second: %d", rec.Code)
	}
}

func TestPasskeysAreAddedByAFreshSignIn(t *testing.T) {
	w, a := registered(t)
	if status, _ := w.challenge("/settings/passkeys/options"); status != 401 {
		t.Errorf("signed out: %d", status)
	}
	w.login("owner@example.com", password, "/")
	csrf := w.settingsToken()
	if rec := w.send("POST", "/settings/passkeys/options", nil, "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
		t.Errorf("of another site: %d", rec.Code)
	}
	_, c := w.challenge("/settings/passkeys/options")
	w.now = w.now.Add(5 * time.Minute)
	rec := w.send("POST", "/settings/passkeys", url.Values{"csrf": {csrf}, "label": {"x"}, "credential": {a.create(c)}})
	if status, _ := w.challenge("/settings/passkeys/options"); status != 403 || rec.Code != 303 || !strings.HasPrefix(rec.Header().Get("Location"), "/login?again=yes") || len(w.store.passkeys) != 1 {
		t.Errorf("stale: %d %d %s", status, rec.Code, rec.Header().Get("Location"))
	}
	w.now = w.now.Add(-5 * time.Minute)
	for name, bad := range map[string]func(){"another origin": func() { a.origin = "http://evil.example" }, "another party": func() { a.origin, a.rp = "http://localhost:3001", "evil.example" },
		"not verified": func() { a.rp, a.flags = "localhost", 1 }} {
		_, c := w.challenge("/settings/passkeys/options")
		b := *a
		bad()
		if rec := w.send("POST", "/settings/passkeys", url.Values{"csrf": {csrf}, "label": {"x"}, "credential": {a.create(c)}}); rec.Code != 422 || len(w.store.passkeys) != 1 {
			t.Errorf("%s: %d", name, rec.Code)
		}
		*a = b
	}
	id := b64(a.id)
	for do, label := range map[string]string{"rename": "phone", "nothing": "x"} {
		w.send("POST", "/settings/passkeys/change", url.Values{"csrf": {csrf}, "id": {id}, "do": {do}, "label": {label}})
	}
	if w.store.passkeys[0].Label != "phone" {
		t.Errorf("it is called %q", w.store.passkeys[0].Label)
	}
	for n, form := range []url.Values{{"csrf": {"x"}, "id": {id}, "do": {"remove"}}, {"csrf": {csrf}, "id": {"AAAA"}, "do": {"remove"}}} {
		if rec := w.send("POST", "/settings/passkeys/change", form); rec.Code != []int{403, 404}[n] || len(w.store.passkeys) != 1 {
			t.Errorf("%v: %d", form, rec.Code)
		}
	}
	if rec := w.send("POST", "/settings/passkeys/change", url.Values{"csrf": {csrf}, "id": {id}, "do": {"remove"}}); rec.Code != 303 || len(w.store.passkeys) != 0 {
		t.Errorf("removed: %d", rec.Code)
	}
}

func TestAnAddressHasNoPasskeys(t *testing.T) {
	for _, public := range []string{"http://127.0.0.1:3001", "http://[::1]:3001"} {
		w := newWorld(t, public)
		w.join()
		if status, _ := w.challenge("/login/passkey/options"); status != 404 || !strings.Contains(w.id.NoPasskeys(), "AIPASSPORT_PUBLIC_URL") {
			t.Errorf("%s: %d %q", public, status, w.id.NoPasskeys())
		}
	}
}

// TestAPasskeyIsAStepOfSetup that may be left out, for who is signed in.
func TestAPasskeyIsAStepOfSetup(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	if rec := w.send("GET", "/setup/passkey", nil); rec.Header().Get("Location") != "/login?next=/setup/passkey" {
		t.Errorf("a stranger: %d", rec.Code)
	}
	w.join()
	page := w.send("GET", "/setup/passkey", nil).Body.String()
	if !strings.Contains(page, "Not now") || !strings.Contains(page, `data-passkey="/settings/passkeys/options"`) {
		t.Errorf("the step: %s", page)
	}
	a := newAuthenticator(t)
	_, c := w.challenge("/settings/passkeys/options")
	a.handle = []byte(w.store.person.ID)
	rec := w.send("POST", "/settings/passkeys", url.Values{"csrf": {w.csrf(page)}, "label": {"laptop"}, "credential": {a.create(c)}, "next": {"/keys"}})
	if rec.Code != 303 || rec.Header().Get("Location") != "/keys" || len(w.store.passkeys) != 1 {
		t.Errorf("added: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	at := newWorld(t, "http://127.0.0.1:3001")
	at.join()
	if rec := at.send("GET", "/setup/passkey", nil); rec.Code != 404 {
		t.Errorf("at an address: %d", rec.Code)
	}
}
