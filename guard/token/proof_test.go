package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// is says whether an error is Unauthenticated in a field.
func is(err error, field string) bool {
	return err != nil && problem.KindOf(err) == problem.Unauthenticated && problem.From(err).Field == field
}

func TestProofsOfEachAlgorithm(t *testing.T) {
	b := newBench(t, nil)
	g := b.grant("g1", time.Hour)
	for _, alg := range token.ProofAlgorithms {
		h := keys()[alg]
		access := b.bound(g, h)
		p, s, err := b.Admit(t.Context(), shown(access, b.proof(h, access)))
		if err != nil || p.Confirm != h.jkt() || s.Grant.ID != g.ID {
			t.Errorf("%s: got %+v %v", alg, p, err)
		}
		if jkt, err := b.Prove(t.Context(), asked(b.proof(h, ""))); jkt != h.jkt() || err != nil {
			t.Errorf("%s without a token: got %q %v", alg, jkt, err)
		}
	}
	if jkt, err := b.Prove(t.Context(), asked()); jkt != "" || err != nil {
		t.Errorf("no proof: got %q %v", jkt, err)
	}
}

// TestEqualAddresses: htu is compared by what it means (RFC 3986 §6.2.2, §6.2.3), with the public URL, and without query and fragment.
func TestEqualAddresses(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	for _, c := range []struct {
		htu, path string
		same      bool
	}{
		{callHTU, callPath, true}, {callHTU + "?x=1#y", callPath, true}, {"HTTPS://Broker.Example:443" + callPath, callPath, true},
		{issuer + "/v1/./x/../chat/completions", callPath, true}, {issuer + "/%76%31/chat/completions", callPath, true},
		{issuer + "/google/v1/models/a%2fb:x", "/google/v1/models/a%2Fb:x", true}, {issuer, "/", true},
		{"http://broker.example" + callPath, callPath, false}, {"https://broker.example:8443" + callPath, callPath, false},
		{"https://other.example" + callPath, callPath, false}, {"https://u@broker.example" + callPath, callPath, false},
		{callHTU + "/", callPath, false}, {issuer + "/V1/chat/completions", callPath, false}, {callPath, callPath, false}, {"", callPath, false},
		{"https://broker.example.evil" + callPath, callPath, false}, {issuer + "/google/v1/models/a/b:x", "/google/v1/models/a%2Fb:x", false},
	} {
		_, err := b.Prove(t.Context(), token.Asked{Proofs: []string{b.proof(h, "", with("htu", c.htu))}, Method: "POST", Path: c.path})
		if c.same && err != nil || !c.same && !is(err, token.ProofField) {
			t.Errorf("htu %s for %s: got %v, want same %t", c.htu, c.path, err, c.same)
		}
	}
}

// TestMalformedProofsAreRefused, one change from a good one at a time, before anything is written.
func TestMalformedProofsAreRefused(t *testing.T) {
	b := newBench(t, nil)
	h, other, rs := keys()["ES256"], keys()["other"], keys()["RS256"]
	access := b.bound(b.grant("g1", time.Hour), h)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	good := b.proofParts(h, access)
	text := func(change func(header, claims string) (string, string)) string {
		header, _ := json.Marshal(good.header)
		claims, _ := json.Marshal(good.claims)
		hd, cl := change(string(header), string(claims))
		return h.sign(hd, cl)
	}
	one := b.proof(h, access)
	seg := strings.Split(one, ".")
	for name, proofs := range map[string][]string{
		"none":                    {},
		"two":                     {b.proof(h, access), b.proof(h, access)},
		"two in one line":         {b.proof(h, access) + ", " + b.proof(h, access)},
		"empty":                   {""},
		"two parts":               {seg[0] + "." + seg[1]},
		"four parts":              {one + ".x"},
		"padded":                  {one + "="},
		"a line end":              {one + "\n"},
		"no signature":            {seg[0] + "." + seg[1] + "."},
		"too long":                {b.proof(h, access, with("x", strings.Repeat("x", 4<<10)))},
		"typ of a token":          {b.proof(h, access, withHeader("typ", "at+jwt"))},
		"no typ":                  {b.proof(h, access, withHeader("typ", nil))},
		"typ in capitals":         {b.proof(h, access, withHeader("typ", "DPOP+JWT"))},
		"alg none":                {b.proof(h, access, withHeader("alg", "none"))},
		"alg HS256":               {b.proof(h, access, withHeader("alg", "HS256"))},
		"alg EdDSA":               {b.proof(h, access, withHeader("alg", "EdDSA"))},
		"alg of another curve":    {b.proof(h, access, withHeader("alg", "ES384"))},
		"alg of another type":     {b.proof(h, access, withHeader("alg", "RS256"))},
		"ES256 with an RSA key":   {b.proof(rs, access, withHeader("alg", "ES256"))},
		"PS256 signed as RS256":   {b.proof(rs, access, withHeader("alg", "PS256"))},
		"a curve that is not had": {b.proof(holder{"ES512", p521}, access)},
		"a small RSA key":         {b.proof(holder{"RS256", small}, access)},
		"no jwk":                  {b.proof(h, access, func(p proofParts) { delete(p.header, "jwk") })},
		"jwk null":                {b.proof(h, access, withHeader("jwk", nil))},
		"jwk a text":              {b.proof(h, access, withHeader("jwk", "x"))},
		"a private key":           {b.proof(h, access, withKey("d", b64([]byte("private"))))},
		"an empty private member": {b.proof(h, access, withKey("d", ""))},
		"a symmetric key":         {b.proof(h, access, withHeader("jwk", map[string]any{"kty": "oct", "k": b64(make([]byte, 32))}))},
		"a secret beside the key": {b.proof(h, access, withKey("k", "AA"))},
		"certificates":            {b.proof(h, access, withKey("x5c", []string{"AA"}))},
		"off the curve":           {b.proof(h, access, withKey("x", b64(make([]byte, 32))))},
		"another key in jwk":      {b.proof(h, access, withHeader("jwk", other.jwk()))},
		"another holder":          {b.proof(other, access)},
		"signed by another":       {b.proofParts(h, access).sign(other)},
		"crit":                    {b.proof(h, access, withHeader("crit", []string{"exp"}))},
		"crit, empty":             {b.proof(h, access, withHeader("crit", []string{}))},
		"a member twice":          {text(func(hd, cl string) (string, string) { return hd[:len(hd)-1] + `,"typ":"dpop+jwt"}`, cl })},
		"a key's member twice": {text(func(hd, cl string) (string, string) {
			return strings.Replace(hd, `"kty":"EC"`, `"kty":"EC","kty":"EC"`, 1), cl
		})},
		"a claim twice":        {text(func(hd, cl string) (string, string) { return hd, cl[:len(cl)-1] + `,"jti":"y"}` })},
		"claims no object":     {text(func(hd, cl string) (string, string) { return hd, `[]` })},
		"more behind":          {text(func(hd, cl string) (string, string) { return hd, cl + `{}` })},
		"no jti":               {b.proof(h, access, with("jti", ""))},
		"jti a number":         {b.proof(h, access, with("jti", 7))},
		"a long jti":           {b.proof(h, access, with("jti", strings.Repeat("j", 257)))},
		"htm of another":       {b.proof(h, access, with("htm", "GET"))},
		"htm in small letters": {b.proof(h, access, with("htm", "post"))},
		"no htm":               {b.proof(h, access, with("htm", ""))},
		"htu of another":       {b.proof(h, access, with("htu", issuer+"/v1/embeddings"))},
		"htu of another host":  {b.proof(h, access, with("htu", "http://localhost:3001"+callPath))},
		"no iat":               {b.proof(h, access, with("iat", 0))},
		"iat a text":           {b.proof(h, access, with("iat", "now"))},
		"iat too old":          {b.proof(h, access, with("iat", b.now.Add(-301*time.Second).Unix()))},
		"iat too late":         {b.proof(h, access, with("iat", b.now.Add(301*time.Second).Unix()))},
		"iat far away":         {b.proof(h, access, with("iat", json.Number("1e300")))},
		"no ath":               {b.proof(h, "")},
		"ath of another token": {b.proof(h, access+"x")},
	} {
		b.store.Fail("Seen", storetest.Before, errors.New("written"))
		if err := admit(t, b.Service, shown(access, proofs...)); !is(err, token.ProofField) {
			t.Errorf("%s: got %v, want a problem with the proof", name, err)
		}
	}
	for name, p := range map[string]string{ // where any key will do
		"ES256 with an RSA key": b.proof(rs, "", withHeader("alg", "ES256")), "PS256 signed as RS256": b.proof(rs, "", withHeader("alg", "PS256")),
		"alg of another curve": b.proof(h, "", withHeader("alg", "ES384")), "a small RSA key": b.proof(holder{"RS256", small}, ""),
		"a curve that is not had": b.proof(holder{"ES512", p521}, ""), "a private key": b.proof(h, "", withKey("d", b64(make([]byte, 32)))),
		"another key in jwk": b.proof(h, "", withHeader("jwk", other.jwk())), "primes beside the key": b.proof(rs, "", withKey("oth", []any{})),
	} {
		if _, err := b.Prove(t.Context(), asked(p)); !is(err, token.ProofField) {
			t.Errorf("%s, without a token: got %v, want a problem with the proof", name, err)
		}
	}
	b.store.Fail("Seen", storetest.Before, nil)
	for name, p := range map[string]string{
		"as it is": b.proof(h, access), "a fraction of a second": b.proof(h, access, with("iat", float64(b.now.Unix())+0.25)),
		"a clock behind": b.proof(h, access, with("iat", b.now.Add(-299*time.Second).Unix())), "a kid": b.proof(h, access, withHeader("kid", "k")),
		"WebCrypto's members": b.proof(h, access, withKey("key_ops", []string{"verify"}), withKey("ext", true)), "a long jti": b.proof(h, access, with("jti", strings.Repeat("j", 256))),
	} {
		if err := admit(t, b.Service, shown(access, p)); err != nil {
			t.Errorf("%s: got %v, want none", name, err)
		}
	}
}

// TestProofWorksOnce, at one instance and at all of them, after a restart, and however many try at one moment.
func TestProofWorksOnce(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	access := b.bound(b.grant("g1", time.Hour), h)
	p, peer := b.proof(h, access), b.again()
	if err := admit(t, b.Service, shown(access, p)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*token.Service{"the same": b.Service, "a peer": peer, "a restart": b.again()} {
		if err := admit(t, s, shown(access, p)); !is(err, token.ProofField) || !strings.Contains(err.Error(), "used before") {
			t.Errorf("%s: got %v, want a replay", name, err)
		}
	}
	if _, err := b.Prove(t.Context(), asked(p)); !is(err, token.ProofField) {
		t.Errorf("without the token: got %v", err)
	}
	same := with("jti", "same")
	if err := admit(t, b.Service, shown(access, b.proof(h, access, same))); err != nil {
		t.Error(err)
	}
	if err := admit(t, b.Service, shown(access, b.proof(h, access, same))); !is(err, token.ProofField) {
		t.Errorf("another proof with the same jti: got %v", err)
	}
	if _, err := b.Prove(t.Context(), asked(b.proof(keys()["other"], "", same))); err != nil {
		t.Errorf("the same jti of another key: %v", err)
	}

	p = b.proof(h, access)
	var good atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if admit(t, []*token.Service{b.Service, peer}[i%2], shown(access, p)) == nil {
				good.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 {
		t.Errorf("%d of 20 got in with one proof", good.Load())
	}
}

// TestUnknownWhetherSeenIsRefused: if the store does not answer, or answers after it wrote, the proof is not taken.
func TestUnknownWhetherSeenIsRefused(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	access := b.bound(b.grant("g1", time.Hour), h)
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		b.store.Fail("Seen", when, problem.New(problem.Unavailable, "the disk is full"))
		if err := admit(t, b.Service, shown(access, b.proof(h, access))); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("got %v", err)
		}
	}
}

// TestWhatCannotBeUsedWritesNothing: proofs with a token that has ended are not remembered.
func TestWhatCannotBeUsedWritesNothing(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	g := b.grant("g1", time.Hour)
	access := b.bound(g, h)
	b.store.Fail("Seen", storetest.Before, errors.New("written"))
	g, err := g.To(passport.GrantRevoked, b.now)
	if err != nil {
		t.Fatal(err)
	}
	b.change(g)
	if err := admit(t, b.Service, shown(access, b.proof(h, access))); !is(err, "") {
		t.Errorf("got %v", err)
	}
}

// TestSchemes: what is bound works with its scheme only, what is not with the others only. An SDK key of a grant whose tokens are bound is
// the owner's own deed and a bearer.
func TestSchemes(t *testing.T) {
	b, h := newBench(t, nil), keys()["ES256"]
	g := b.grant("g1", time.Hour)
	plain, _ := b.issue(g)
	access := b.bound(g, h)
	g.JKT = h.jkt()
	key, _, err := b.NewKey(t.Context(), g, "laptop", time.Time{}, "owner")
	if err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]token.Shown{
		"bound, as a bearer":            {Access: access},
		"bound, a bearer with a proof":  {Access: access, Asked: asked(b.proof(h, access))},
		"a bearer with the scheme DPoP": shown(plain, b.proof(h, plain)),
		"a key with the scheme DPoP":    shown(key, b.proof(h, key)),
	} {
		if err := admit(t, b.Service, by); !is(err, token.SchemeField) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, _, err := b.Identify(t.Context(), access); !is(err, token.SchemeField) {
		t.Errorf("Identify: got %v", err)
	}
	for _, access := range []string{plain, key} {
		if p, _, err := b.Identify(t.Context(), access); err != nil || p.Confirm != "" {
			t.Errorf("a bearer: got %+v %v", p, err)
		}
	}
	if p, s, err := b.Look(t.Context(), access); err != nil || p.Confirm != h.jkt() || s.Grant.ID != g.ID {
		t.Errorf("Look: got %+v %v", p, err)
	}
}

// TestProofsAreBounded: no more rows in a slot than there is room for, of one key and of all, and strangers take no room from calls.
func TestProofsAreBounded(t *testing.T) {
	b, h, other := newBench(t, nil), keys()["ES256"], keys()["other"]
	g := b.grant("g1", time.Hour)
	mine, theirs := b.bound(g, h), b.bound(g, other)
	b.BoundProofs(3, 2, 1, 1)
	use := func(h holder, access string) problem.Kind {
		if access == "" {
			_, err := b.Prove(t.Context(), asked(b.proof(h, "")))
			return problem.KindOf(err)
		}
		return problem.KindOf(admit(t, b.Service, shown(access, b.proof(h, access))))
	}
	for i, c := range []struct {
		h      holder
		access string
		want   problem.Kind
	}{{h, "", 0}, {other, "", problem.Busy}, {h, mine, 0}, {h, mine, 0}, {h, mine, problem.Busy}, {other, theirs, 0}, {other, theirs, problem.Busy}} {
		if got := use(c.h, c.access); got != c.want {
			t.Errorf("%d: got %v, want %v", i, got, c.want)
		}
	}
	b.now = b.now.Add(2 * time.Minute)
	if got := use(h, mine); got != 0 {
		t.Errorf("a slot later: got %v", got)
	}
}

// TestThreat17StrangersProofsKeepNobodyOut: who makes proofs with as many keys as they like uses up their own network's share, and others
// still get their tokens, until all that is remembered in a slot is used up.
func TestThreat17StrangersProofsKeepNobodyOut(t *testing.T) {
	b := newBench(t, nil)
	b.BoundProofs(1, 1, 3, 2)
	for i, c := range []struct {
		key, from string
		want      problem.Kind
	}{{"ES256", "192.0.2.1", 0}, {"other", "192.0.2.1", 0}, {"ES256", "192.0.2.1", problem.Busy}, {"RS256", "192.0.2.1", problem.Busy},
		{"ES256", "192.0.2.2", 0}, {"ES256", "192.0.2.2", problem.Busy}} {
		a := asked(b.proof(keys()[c.key], ""))
		a.From = c.from
		if _, err := b.Prove(t.Context(), a); problem.KindOf(err) != c.want {
			t.Errorf("%d: got %v, want kind %v", i, err, c.want)
		}
	}
}

func FuzzProof(f *testing.F) {
	b, h := newBench(f, nil), keys()["ES256"]
	p := b.proof(h, "")
	signed := p[:strings.LastIndexByte(p, '.')]
	for _, seed := range []string{p, b.proof(keys()["RS256"], ""), b.proof(h, "", withHeader("crit", []string{"x"})), b.proof(h, "", withKey("d", "x")), "..", "a.b.c"} {
		f.Add(seed)
	}
	b.BoundProofs(1, 1, math.MaxInt, math.MaxInt)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := b.store.SweepSeen(t.Context(), b.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		jkt, err := b.Prove(t.Context(), asked(text))
		switch {
		case err != nil && problem.KindOf(err) != problem.Unauthenticated:
			t.Errorf("%q: got %v", text, err)
		case err == nil && jkt == "":
			t.Errorf("%q proved no key", text)
		case err == nil && jkt == h.jkt() && !strings.HasPrefix(text, signed+"."):
			t.Errorf("%q was never signed", text)
		}
	})
}
