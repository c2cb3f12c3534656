package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// get reads a member of a JSON body by its path: "error.code". nil if there is none.
func (a answer) get(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for _, name := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (a answer) str(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// num is a whole number of a JSON body; -1 if it is not there.
func (a answer) num(path string) int64 {
	f, ok := a.get(path).(float64)
	if !ok {
		return -1
	}
	return int64(f)
}

// send makes one request and reads the whole answer. A body that is not empty is JSON unless the headers say otherwise.
func (b *broker) send(method, path, body string, h http.Header) answer {
	b.t.Helper()
	a, err := b.try(method, path, body, h)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (b *broker) try(method, path, body string, h http.Header) (answer, error) {
	res, err := b.open(method, path, body, h)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if !givesSecrets(method, path) {
		b.received(p)
	}
	return answer{res.StatusCode, res.Header, p}, err
}

// givesSecrets says whether an answer may have a secret of the caller's own.
func givesSecrets(method, path string) bool {
	switch path {
	case "/tokens", "/grant-requests", "/oauth/token", "/oauth/device_authorization", "/oauth/register", "/login/cli/token":
		return true
	}
	return method == "POST" && (strings.HasSuffix(path, "/keys") || path == "/clients" || path == "/people")
}

// open makes one request; the caller reads the answer. Redirects are not followed.
func (b *broker) open(method, path, body string, h http.Header) (*http.Response, error) {
	b.t.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(testutil.Context(b.t), method, b.url+path, rd)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header = h.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := b.http.RoundTrip(req)
	if err == nil {
		var head bytes.Buffer
		res.Header.Write(&head)
		b.received(head.Bytes())
	}
	return res, err
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// owner makes a request with the owner's bearer.
func (b *broker) owner(method, path, body string) answer {
	b.t.Helper()
	return b.send(method, path, body, bearer(ownerToken))
}

// asked is a grant request as the app that made it knows it.
type asked struct{ id, secret, consentURL string }

// ask makes a grant request with a scope.
func (b *broker) ask(scope string) asked {
	b.t.Helper()
	a := b.send("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example.com","reason":"to summarise","scope":`+scope+`}`, nil)
	if a.status != 201 {
		b.t.Fatalf("grant request %s: %s", scope, a)
	}
	got := asked{a.str("grant.id"), a.str("grantSecret"), a.str("consentUrl")}
	b.keepSecret(got.secret)
	return got
}

// approve gives what was asked, or less.
func (b *broker) approve(id, body string) answer {
	b.t.Helper()
	a := b.owner("POST", "/grants/"+id+"/approve", body)
	if a.status != 200 {
		b.t.Fatalf("approve with %s: %s", body, a)
	}
	return a
}

// token gets an access token for an approved grant.
func (b *broker) token(g asked) string {
	b.t.Helper()
	a := b.send("POST", "/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, g.id, g.secret), nil)
	if a.status != 201 || a.str("token") == "" {
		b.t.Fatalf("token: %s", a)
	}
	b.keepSecret(a.str("token"))
	return a.str("token")
}

// grant is an approved grant with a token.
type grant struct {
	asked
	token string
}

// give asks for a scope, approves it as asked for an hour and gets a token.
func (b *broker) give(scope string) grant {
	b.t.Helper()
	g := b.ask(scope)
	b.approve(g.id, `{"expiresInSeconds":3600}`)
	return grant{g, b.token(g)}
}

// scope writes the scope of one provider with chat.
func scope(provider, model string, cents, calls int) string {
	return fmt.Sprintf(`{"provider":%q,"models":[%q],"capabilities":["chat"],"maxBudgetCents":%d,"maxRequests":%d,"rateLimit":1000000}`, provider, model, cents, calls)
}

// standing is a grant as the owner sees it.
type standing struct {
	Status           string
	UsageCount       int64
	UsageBudgetCents int64
	SettledMicroUsd  int64
	ReservedMicroUsd int64
	ExpiresAt        time.Time
}

func (b *broker) standing(id string) standing {
	b.t.Helper()
	a := b.owner("GET", "/grants/"+id, "")
	var s standing
	if err := json.Unmarshal(a.body, &s); err != nil || a.status != 200 {
		b.t.Fatalf("grant %s: %s %v", id, a, err)
	}
	return s
}

// settled waits until nothing of a grant is in flight.
func (b *broker) settled(id string) standing {
	b.t.Helper()
	ctx := testutil.Context(b.t)
	for {
		s := b.standing(id)
		if s.ReservedMicroUsd == 0 {
			return s
		}
		if ctx.Err() != nil {
			b.t.Fatalf("money stays held: %+v", s)
		}
	}
}
