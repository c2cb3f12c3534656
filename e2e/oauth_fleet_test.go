package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// fleet is one or two brokers behind one public address. It gives them requests in turn: what is replayed comes to the one that has not
// seen it. The embedded broker is that address; its log and its data are those of the first.
type fleet struct {
	*broker
	all    []*broker
	person *person         // the owner, signed in
	apps   map[string]*app // that were registered, by their metadata
	homes  int64           // that were given out

	documents *httptest.Server // where apps publish who they are
}

// fleets runs a test against one broker on SQLite and against two on one Postgres. Each is started once for all cases of the test.
func fleets(t *testing.T, test func(*testing.T, *fleet)) {
	t.Run("one on SQLite", func(t *testing.T) { test(t, newFleet(t, 1, nil)) })
	t.Run("two on Postgres", func(t *testing.T) {
		address := pgtest.Database(t)
		e, password := onPostgres(t, address)
		f := newFleet(t, 2, e)
		f.keepSecret(password)
		test(t, f)
	})
}

func newFleet(t *testing.T, n int, e env) *fleet {
	t.Helper()
	f := &fleet{apps: map[string]*app{}}
	var next atomic.Int64
	from := func(r *http.Request, n int64) string { // many apps register themselves, each at home
		switch said := r.Header.Get("X-Forwarded-For"); {
		case said != "":
			return said
		case r.URL.Path == "/oauth/register":
			return home(n)
		}
		return "203.0.113.7"
	}
	through := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 50}
	front := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Transport: through, Rewrite: func(r *httputil.ProxyRequest) {
		n := next.Add(1)
		at := f.all[int(n)%len(f.all)]
		to, err := url.Parse(at.url)
		if err != nil {
			panic(err)
		}
		r.SetURL(to)
		// Whole: the server that the proxy is closes the body of a request with the first byte of the answer, maybe under the hands of who
		// sends it on, and that would break the answer off.
		body, err := io.ReadAll(r.In.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if len(body) > 0 {
			r.Out.Body = io.NopCloser(bytes.NewReader(body))
		}
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-For", from(r.In, n))
	}})
	t.Cleanup(through.CloseIdleConnections)
	t.Cleanup(front.Close)
	fake := testutil.Provider(t, providerKeys)
	with := env{"AIPASSPORT_KEK_FILE": filepath.Join(t.TempDir(), "kek"), "AIPASSPORT_PUBLIC_URL": front.URL, "AIPASSPORT_BEHIND_PROXY": "127.0.0.0/8"}
	maps.Copy(with, e)
	f.documents = publisher(t, with)
	for range n {
		f.all = append(f.all, startWith(t, fake, with))
	}
	first := f.all[0]
	f.broker = &broker{t: t, fake: fake, env: first.env, http: &http.Transport{MaxIdleConnsPerHost: 50}, url: front.URL, log: first.log}
	t.Cleanup(func() { // before the brokers look for leaks
		f.http.CloseIdleConnections()
		for _, b := range f.all {
			for _, s := range f.secrets {
				b.keepSecret(s)
			}
		}
	})
	f.person = first.setUp()
	f.person.b = f.broker
	return f
}

// home is an address that nobody else has.
func home(n int64) string { return fmt.Sprintf("198.51.%d.%d", n/250%250, n%250) }

// elsewhere is the header of a request from an address of its own, which no limit has counted yet.
func (f *fleet) elsewhere() http.Header {
	f.homes++
	return http.Header{"X-Forwarded-For": {home(60_000 - f.homes)}}
}

// in gives a case of a test its own t, so that what fails there is its failure. Cases run one after the other.
func (f *fleet) in(t *testing.T) {
	f.broker.t = t
	f.person.b = f.broker
}

// outside says whether an address is none of the broker's.
func (f *fleet) outside(u *url.URL) bool {
	return u.Host != "" && u.Host != strings.TrimPrefix(f.url, "http://")
}

// browse opens an address of the broker as the signed-in owner and follows redirects as long as they stay there. It returns where that
// led, which is an address outside if the broker sent the person away, and the last page.
func (f *fleet) browse(address string) (*url.URL, answer) {
	f.t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		f.t.Fatal(err)
	}
	for range 6 {
		a := f.send("GET", at.RequestURI(), "", f.person.headers(true))
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			f.person.cookies[c.Name] = c.Value
		}
		to := a.header.Get("Location")
		if to == "" {
			f.person.path, f.person.page = at.Path, a
			return at, a
		}
		next, err := url.Parse(to)
		if err != nil {
			f.t.Fatal(err)
		}
		if f.outside(next) {
			return next, a
		}
		at = next
	}
	f.t.Fatalf("%s leads in circles", address)
	return nil, answer{}
}

var consentPath = regexp.MustCompile(`^/consent/([0-9a-f-]{36})$`)

// asks opens an authorization request and returns the grant that the person is asked for.
func (f *fleet) asks(address string) (id string) {
	f.t.Helper()
	at, a := f.browse(address)
	m := consentPath.FindStringSubmatch(at.Path)
	if m == nil || a.status != 200 {
		f.t.Fatalf("%s led to %s: %.2000s", address, at, a)
	}
	return m[1]
}

// decide answers an authorization request and returns the address that the app is called back at. What is given is what was asked, narrowed
// by the body of an approval; an empty one denies.
func (f *fleet) decide(address, approval string) *url.URL {
	f.t.Helper()
	id := f.asks(address)
	if approval == "" {
		f.owner("POST", "/grants/"+id+"/deny", "")
	} else {
		f.approve(id, approval)
	}
	return f.sentTo("/consent/" + id)
}

// sentTo is where the page of an answered request sends the person, by redirects and by the refresh of the page.
func (f *fleet) sentTo(path string) *url.URL {
	f.t.Helper()
	at, a := f.browse(path)
	for range 3 {
		if f.outside(at) {
			f.keepSecret(at.Query().Get("code"))
			return at
		}
		next := refreshOf(a)
		if next == "" {
			break
		}
		at, a = f.browse(next)
	}
	f.t.Fatalf("%s sends the person nowhere: %s %.3000s", path, at, a)
	return nil
}

// refreshOf is where a page leads by itself; empty: nowhere.
func refreshOf(a answer) string {
	doc, err := html.Parse(strings.NewReader(string(a.body)))
	if err != nil {
		return ""
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "meta" && strings.EqualFold(attr(n, "http-equiv"), "refresh") {
			_, to, _ := strings.Cut(attr(n, "content"), "url=")
			return to
		}
	}
	return ""
}

const hour = `{"expiresInSeconds":3600}`

// form posts a form to an endpoint of the authorization server. What it gives is secret.
func (f *fleet) form(path string, v url.Values, h http.Header) answer {
	f.t.Helper()
	a, err := f.tryForm(path, v.Encode(), h)
	if err != nil {
		f.t.Fatalf("POST %s: %v", path, err)
	}
	return a
}

func (f *fleet) tryForm(path, body string, h http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(testutil.Context(f.t), "POST", f.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if h != nil {
		req.Header = h.Clone()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := f.http.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(res)
	for _, name := range []string{"access_token", "refresh_token", "device_code"} {
		f.keepSecret(a.str(name))
	}
	return a, err
}

// readAnswer reads an answer to its end.
func readAnswer(res *http.Response) (answer, error) {
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, p}, err
}

// refused checks an OAuth error: its status, its code, and that it is not to be stored (RFC 6749 §5.2).
func (f *fleet) refused(a answer, status int, code string) {
	f.t.Helper()
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err := json.Unmarshal(a.body, &body)
	if err != nil || a.status != status || body.Error != code || body.Description == "" || a.header.Get("Cache-Control") != "no-store" {
		f.t.Errorf("got %.400s, cache %s, want %d %s with a description, not to be stored", a, a.header.Get("Cache-Control"), status, code)
	}
}

// usable says whether an access token opens anything: GET /v1/grant costs nothing.
func (f *fleet) usable(token string) bool {
	f.t.Helper()
	switch a := f.send("GET", "/v1/grant", "", bearer(token)); a.status {
	case 200:
		return true
	case 401:
		return false
	default:
		f.t.Fatalf("GET /v1/grant: %s", a)
		return false
	}
}

// billed waits until a grant's calls are settled and checks that they were paid as the provider counts.
func (f *fleet) billed(id string, calls []*fakeprovider.Request) {
	f.t.Helper()
	if st := f.settled(id); st.SettledMicroUsd != fakeprovider.Billed(calls) || st.UsageCount != int64(len(calls)) {
		f.t.Errorf("settled %+v, billed %d in %d calls", st, fakeprovider.Billed(calls), len(calls))
	}
}
