package e2e_test

import (
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// moving is a message of GET /live, as far as a test looks at it.
type moving struct{ Parts []movingPart }

type movingPart struct {
	At, State string
	Words     map[string]string
}

// follows opens what a page of the person's moves by. The function that it returns reads until what is told of a grant is as wanted.
func (p *person) follows(path, id string) func(what string, want func(state string, words map[string]string) bool) {
	t := p.b.t
	t.Helper()
	p.open(path)
	live := "/live"
	if path != "/" {
		live += "?grant=" + id
	}
	if !strings.Contains(string(p.page.body), `data-live="`+live+`"`) {
		t.Fatalf("%s does not move: %.2000s", path, p.page.body)
	}
	res, err := p.b.open("GET", live, "", p.headers(true))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", live, res, err)
	}
	next, stop := iter.Pull2(testutil.Events(res.Body))
	t.Cleanup(func() { res.Body.Close(); stop() })
	return func(what string, want func(state string, words map[string]string) bool) {
		t.Helper()
		last := "nothing"
		for {
			e, err, ok := next()
			var m moving
			if err == nil && ok {
				last, err = e.Data, json.Unmarshal([]byte(e.Data), &m)
			}
			if err != nil || !ok {
				t.Fatalf("%s ended before %s, with %s: %v", live, what, last, err)
			}
			if slices.ContainsFunc(m.Parts, func(x movingPart) bool { return x.At == "g-"+id && want(x.State, x.Words) }) {
				return
			}
		}
	}
}

// TestAPageOfOneInstanceMovesWithTheOther: a running call, a finished one and a revoke at one broker are seen by pages at another.
func TestAPageOfOneInstanceMovesWithTheOther(t *testing.T) {
	a, b := two(t, pgtest.Database(t), nil)
	p, g, s := a.setUp(), b.give(native[0].scope(500, 100)), native[0]
	one, list := p.follows("/grants/"+g.id, g.id), p.follows("/", g.id)
	both := func(what string, want func(state string, words map[string]string) bool) {
		t.Helper()
		one(what, want)
		list(what, want)
	}
	both("the beginning", func(state string, w map[string]string) bool {
		return state == "Running" && w["calls"] == "0" && w["live"] == ""
	})
	gate := make(chan struct{})
	b.fake.When("slowly", fakeprovider.Behaviour{BeforeHeaders: gate})
	done := make(chan answer, 1)
	go func() {
		x, _ := b.try("POST", s.path, s.body(s.model, "slowly", 50, false), s.auth(g.token))
		done <- x
	}()
	both("the running call", func(_ string, w map[string]string) bool {
		return w["live"] == "1 running call" && strings.Contains(w["held"], "is held")
	})
	close(gate)
	if x := <-done; x.status != http.StatusOK {
		t.Fatal(x)
	}
	both("the finished call", func(_ string, w map[string]string) bool {
		return w["live"] == "" && w["calls"] == "1" && w["spent"] != "$0.00" && w["used"] != ""
	})
	if x := b.owner("POST", "/grants/"+g.id+"/revoke", ""); x.status != http.StatusOK {
		t.Fatal(x)
	}
	both("the revoke", func(state string, _ map[string]string) bool { return state == "Revoked" })
}
