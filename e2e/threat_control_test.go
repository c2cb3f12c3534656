package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// management are the routes that only the owner may use.
func management(id string) []struct{ method, path, body string } {
	return []struct{ method, path, body string }{
		{"GET", "/grants", ""},
		{"GET", "/grants/" + id, ""},
		{"POST", "/grants/" + id + "/approve", `{"expiresInSeconds":60}`},
		{"POST", "/grants/" + id + "/deny", "{}"},
		{"POST", "/grants/" + id + "/revoke", "{}"},
		{"POST", "/grants/" + id + "/pause", "{}"},
		{"POST", "/grants/" + id + "/resume", "{}"},
		{"POST", "/stop", "{}"},
		{"POST", "/resume", "{}"},
	}
}

// TestThreat06ManagementNeedsTheOwner: without, with wrong and with borrowed credentials, and with every header that has
// opened such a door elsewhere.
func TestThreat06ManagementNeedsTheOwner(t *testing.T) {
	b := start(t, nil)
	pending := b.ask(goodScope)
	g := b.give(goodScope)
	// An app's own secret opens its grant to reading, and to giving it back; another's to nothing.
	for _, m := range management(pending.id)[2:] {
		givesBack, foreign := strings.HasSuffix(m.path, "/revoke"), 401
		if givesBack {
			foreign = 404 // as for a grant that is not there
		}
		if a := b.send(m.method, m.path, m.body, bearer(g.secret)); a.status != foreign {
			t.Errorf("%s %s with the secret of another grant: %s", m.method, m.path, a)
		}
		if givesBack {
			continue
		}
		if a := b.send(m.method, m.path, m.body, bearer(pending.secret)); a.status != 401 {
			t.Errorf("%s %s with the grant's secret: %s", m.method, m.path, a)
		}
	}
	if a := b.send("GET", "/grants", "", bearer(pending.secret)); a.status != 401 {
		t.Errorf("the list with a grant's secret: %s", a)
	}
	tricks := []http.Header{
		nil, bearer("wrong-owner-token-0000"), bearer(""), bearer(ownerToken[:len(ownerToken)-1]), bearer(ownerToken + "x"), bearer(g.token), bearer(openAIKey),
		{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("owner:"+ownerToken))}},
		{"Host": {"x/#@y"}}, {"Host": {"localhost"}}, {"Host": {"127.0.0.1/grants"}},
		{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"localhost"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=127.0.0.1;host=localhost"}, "X-Real-Ip": {"127.0.0.1"}},
		{"X-Original-Url": {"/health"}, "X-Rewrite-Url": {"/health"}, "X-Forwarded-Uri": {"/health"}, "X-Forwarded-Prefix": {"/health"}},
		{"X-Http-Method-Override": {"GET"}, "X-Http-Method": {"GET"}, "X-Method-Override": {"GET"}},
		{"X-Api-Key": {ownerToken}}, {"X-Goog-Api-Key": {ownerToken}}, {"Cookie": {"session=" + ownerToken + "; aipassport_session=" + ownerToken}},
	}
	for _, m := range management(pending.id) {
		for _, h := range tricks {
			a := b.send(m.method, m.path, m.body, h)
			// 404 only hides more: the grant's own secret reads it, anything else is not told that it exists.
			if a.status != 401 && a.status != 400 && a.status != 404 && a.status != 429 {
				t.Errorf("%s %s with %v: got %s", m.method, m.path, h, a)
			}
			if strings.Contains(string(a.body), pending.id) && a.status != 404 {
				t.Errorf("%s %s with %v tells of the grant: %s", m.method, m.path, h, a)
			}
		}
		if a := b.send(m.method, m.path, m.body, nil); a.status != 401 && a.status != 429 || a.str("error") == "" {
			t.Errorf("%s %s without anything: %s", m.method, m.path, a)
		}
	}
	// A method override does not turn a GET into an approval.
	b.send("GET", "/grants/"+pending.id+"/approve", "", http.Header{"X-Http-Method-Override": {"POST"}, "Authorization": {"Bearer " + ownerToken}})
	if s := b.standing(pending.id); s.Status != "pending" {
		t.Errorf("the grant is %s", s.Status)
	}
}

// TestThreat12TokensNeedTheGrantsSecret: a wrong, a missing and a foreign secret, and a grant that is not, are told alike.
func TestThreat12TokensNeedTheGrantsSecret(t *testing.T) {
	b := start(t, nil)
	g, other := b.give(goodScope), b.give(goodScope)
	var first answer
	for i, c := range []struct{ id, secret string }{
		{g.id, "wrong"}, {g.id, other.secret}, {g.id, g.secret + "x"}, {g.id, g.secret[:len(g.secret)-1]}, {g.id, strings.ToUpper(g.secret)},
		{"0192f0c1-0000-7000-8000-000000000000", g.secret}, {"x", "y"}, {g.id, ownerToken}, {g.id, g.token},
	} {
		a := b.send("POST", "/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, c.id, c.secret), nil)
		if i == 0 {
			first = a
		}
		if a.status != first.status || string(a.body) != string(first.body) || a.status < 400 || a.get("token") != nil {
			t.Errorf("case %d: got %s, want what a wrong secret gets: %s", i, a, first)
		}
	}
	for _, body := range []string{fmt.Sprintf(`{"grantId":%q}`, g.id), fmt.Sprintf(`{"grantId":%q,"grantSecret":""}`, g.id), fmt.Sprintf(`{"grantId":%q,"grantSecret":null}`, g.id), `{}`} {
		if a := b.send("POST", "/tokens", body, nil); a.status != 400 || a.str("error") != "Validation failed" {
			t.Errorf("%s: %s", body, a)
		}
	}
}

func part(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodePart(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	var m map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil || json.Unmarshal(raw, &m) != nil {
		t.Fatalf("part %d of the token: %v", i, err)
	}
	return m
}

// TestThreat13ForgedTokens: every way in which a JWT has been forged, and none works.
func TestThreat13ForgedTokens(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	header, claims := decodePart(t, g.token, 0), decodePart(t, g.token, 1)
	if header["alg"] != "ES256" || header["typ"] != "at+jwt" || header["kid"] == nil {
		t.Errorf("header %v", header)
	}
	for _, name := range []string{"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "gid"} { // RFC 9068 §2.2
		if claims[name] == nil {
			t.Errorf("claim %s is missing: %v", name, claims)
		}
	}
	parts := strings.Split(g.token, ".")
	with := func(m map[string]any, name string, v any) map[string]any {
		out := map[string]any{}
		for k, x := range m {
			out[k] = x
		}
		if out[name] = v; v == nil {
			delete(out, name)
		}
		return out
	}
	jwks := b.send("GET", "/.well-known/jwks.json", "", nil)
	mac := func(key []byte) string {
		signed := part(with(header, "alg", "HS256")) + "." + parts[1]
		h := hmac.New(sha256.New, key)
		h.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(header, claims map[string]any) string {
		signed := part(header) + "." + part(claims)
		sum := sha256.Sum256([]byte(signed))
		r, s, err := ecdsa.Sign(rand.Reader, mine, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(mine.X.FillBytes(make([]byte, 32))), "y": base64.RawURLEncoding.EncodeToString(mine.Y.FillBytes(make([]byte, 32)))}
	forged := map[string]string{
		"alg none":              part(with(header, "alg", "none")) + "." + parts[1] + ".",
		"alg None":              part(with(header, "alg", "nOnE")) + "." + parts[1] + "." + parts[2],
		"no signature":          parts[0] + "." + parts[1] + ".",
		"two parts":             parts[0] + "." + parts[1],
		"changed claims":        parts[0] + "." + part(with(claims, "exp", 9999999999)) + "." + parts[2],
		"changed grant":         parts[0] + "." + part(with(claims, "gid", "other")) + "." + parts[2],
		"changed typ":           part(with(header, "typ", "JWT")) + "." + parts[1] + "." + parts[2],
		"HMAC with JWKS":        mac(jwks.body),
		"HMAC with nothing":     mac(nil),
		"foreign key, our kid":  sign(header, claims),
		"foreign key, jwk":      sign(with(with(header, "jwk", jwk), "kid", nil), claims),
		"foreign key, jku":      sign(with(header, "jku", b.fake.Origin+"/jwks.json"), claims),
		"foreign key, x5u":      sign(with(header, "x5u", b.fake.Origin+"/x"), claims),
		"kid path":              sign(with(header, "kid", "../../../dev/null"), claims),
		"kid SQL":               sign(with(header, "kid", "' OR 1=1 --"), claims),
		"crit":                  sign(with(header, "crit", []string{"x"}), claims),
		"padding":               g.token + "=",
		"trailing":              g.token + ".x",
		"line break":            parts[0] + "." + parts[1] + "." + parts[2][:10] + "\\n" + parts[2][10:],
		"last character":        g.token[:len(g.token)-1] + nextBase64(g.token[len(g.token)-1]),
		"grant secret":          g.secret,
		"owner token":           ownerToken,
		"JSON":                  `{"payload":"` + parts[1] + `"}`,
		"empty":                 "..",
		"very long":             strings.Repeat("a", 20_000),
		"upper case":            strings.ToUpper(g.token),
		"somebody's provider's": openAIKey,
	}
	for name, token := range forged {
		for _, s := range append(native, proxied[0]) {
			a := b.send("POST", s.path, s.body(s.model, "forged", 50, false), s.auth(token))
			if a.status != 401 {
				t.Errorf("%s at %s: %s", name, s.name, a)
			}
		}
		if a := b.send("GET", "/tokens/"+token+"/inspect", "", nil); name != "JSON" && name != "line break" && name != "kid path" && a.get("valid") == true {
			t.Errorf("%s: inspect says %s", name, a)
		}
	}
	if n := len(b.fake.With("forged")); n != 0 {
		t.Errorf("%d forged calls went upstream", n)
	}
	for _, r := range b.fake.Requests() {
		t.Errorf("a token made the broker ask for %s", r.Path)
	}
	if a := b.call(native[0], g.token, "real"); a.status != 200 {
		t.Errorf("the real one: %s", a)
	}
}

// nextBase64 is another character that decodes to the same bytes if unused bits are let pass: 64-byte signatures end in 4 of them.
func nextBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

// TestThreat14NoCORSOnManagement: any origin may call what apps call with a token, without credentials; none what is the owner's.
func TestThreat14NoCORSOnManagement(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	h := func(method string) http.Header {
		return http.Header{"Origin": {"null"}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"authorization,content-type"}}
	}
	for _, path := range []string{"/proxy/chat", "/v1/chat/completions", "/anthropic/v1/messages", "/google/v1beta/models/gemini-2.5-flash:generateContent", "/tokens", "/grant-requests"} {
		a := b.send("OPTIONS", path, "", h("POST"))
		if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "authorization") || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("preflight of %s: %d %v", path, a.status, a.header)
		}
	}
	call := bearer(g.token)
	call.Set("Origin", "null")
	for _, token := range []string{g.token, "bad"} {
		call.Set("Authorization", "Bearer "+token)
		if a := b.send("POST", "/proxy/chat", openAIBody("gpt-4o-mini", "x", 50, false), call); a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("an answer that a page cannot read: %d %v", a.status, a.header)
		}
	}
	for _, m := range management(g.id) {
		if m.method == "GET" && m.path != "/grants" {
			continue // an app may read its own grant with its secret
		}
		for _, a := range []answer{b.send("OPTIONS", m.path, "", h(m.method)), b.send(m.method, m.path, m.body, http.Header{"Origin": {"https://evil.example"}})} {
			if v := a.header.Get("Access-Control-Allow-Origin"); v != "" {
				t.Errorf("%s %s: Access-Control-Allow-Origin: %s", m.method, m.path, v)
			}
		}
	}
}

// TestThreat18NothingInClearOnDisk: modes, and (as after every test) no key, no token, no secret in any file.
func TestThreat18NothingInClearOnDisk(t *testing.T) {
	b := start(t, nil)
	g := b.give(goodScope)
	b.call(native[0], g.token, "x")
	b.settled(g.id)
	info, err := os.Stat(b.data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v %v", info.Mode(), err)
	}
	files := 0
	filepath.WalkDir(filepath.Dir(b.data), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if i, err := d.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, i.Mode(), err)
		}
		return nil
	})
	if files < 2 {
		t.Errorf("%d files, want the database and the key file", files)
	}
	kek, err := os.ReadFile(b.env["AIPASSPORT_KEK_FILE"])
	if err != nil || len(kek) == 0 {
		t.Fatalf("key file: %v", err)
	}
	signature := strings.Split(g.token, ".")[2]
	b.stop(15)
	filepath.WalkDir(b.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		for _, s := range []string{signature, string(kek), g.secret[5:], ownerToken} {
			if strings.Contains(string(content), s) {
				t.Errorf("%s holds a secret in clear", path)
			}
		}
		return nil
	})
	// The files alone are worth nothing: with another key file the broker does not sign with the old keys.
	if err := os.Remove(b.env["AIPASSPORT_KEK_FILE"]); err != nil {
		t.Fatal(err)
	}
	code, out := 0, ""
	cmdEnv := env{}
	for k, v := range b.env {
		cmdEnv[k] = v
	}
	if code, out = runOnce(t, cmdEnv, "serve"); code == 0 || !strings.Contains(out, "AIPASSPORT_KEK_FILE") && !strings.Contains(out, "key") {
		t.Errorf("with the key file gone: exit %d\n%s", code, out)
	}
}

// TestThreat30GrantRequestsAreLimited, for each address, with Retry-After.
func TestThreat30GrantRequestsAreLimited(t *testing.T) {
	b := start(t, env{"AIPASSPORT_GRANT_REQUESTS_PER_MINUTE": "5"})
	got := map[int]int{}
	var last answer
	for i := range 40 {
		h := http.Header{"X-Forwarded-For": {fmt.Sprintf("10.0.0.%d", i)}}
		a := b.send("POST", "/grant-requests", `{"appName":"a","appUrl":"https://a.example","reason":"r","scope":`+goodScope+`}`, h)
		b.keepSecret(a.str("grantSecret"))
		got[a.status]++
		last = a
	}
	if got[201] < 1 || got[201] > 6 || got[201]+got[429] != 40 || last.header.Get("Retry-After") == "" || last.str("error") == "" {
		t.Errorf("got %v, last %s %v", got, last, last.header)
	}
}

// TestThreat30OwnerTokenGuessingIsLimited: so many wrong bearers from one address, then none is even looked at for a while.
func TestThreat30OwnerTokenGuessingIsLimited(t *testing.T) {
	b := start(t, nil)
	limited := false
	for i := range 300 {
		a := b.send("GET", "/grants", "", bearer(fmt.Sprintf("guess-guess-guess-%d", i)))
		if a.status == 429 {
			limited = a.header.Get("Retry-After") != ""
			break
		}
		if a.status != 401 {
			t.Fatalf("a guess: %s", a)
		}
	}
	if !limited {
		t.Error("300 guesses from one address were answered without a limit")
	}
}

// TestThreat32PromptsAreNotLogged: errors, panics and refusals included. The canary is looked for after every test; this one
// makes the paths that tend to quote what they choke on.
func TestThreat32PromptsAreNotLogged(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		for _, body := range []string{
			s.body(s.model, "fine", 50, false),
			s.body(s.model, "fine", 50, false) + "x",
			strings.Replace(s.body(s.model, "fine", 50, false), `"role":"user"`, `"role":"`+canaryPrompt+`"`, 1),
			strings.Replace(s.body(s.model, "fine", 50, false), canaryPrompt, canaryPrompt+"\xff", 1),
		} {
			a, err := b.try("POST", s.path, body, s.auth(g.token))
			if err != nil {
				t.Fatal(err)
			}
			_ = a
		}
	}
	if lines := b.log.tail(-1); !strings.Contains(lines, `"msg":"request"`) {
		t.Errorf("no request records in the log: %.500s", lines)
	}
	if strings.Contains(b.log.tail(-1), canaryPrompt) {
		t.Error("the prompt is in the log")
	}
}
