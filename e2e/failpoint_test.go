package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

const failpoint = "AIPASSPORT_FAILPOINT"

// mortal is the broker with failpoints, built beside the one under test.
var mortal = sync.OnceValues(func() (string, error) {
	name := binary + "-mortal"
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", name, "github.com/devrelopers/aipassport/cmd/aipassport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the broker with failpoints: %w\n%s", err, out)
	}
	return name, nil
})

// TestThreat03KilledAtEveryCommit kills the broker before and after every commit of a story, one at a time, and starts it
// again: what was answered is there, what the provider billed is covered, the ledger adds up.
func TestThreat03KilledAtEveryCommit(t *testing.T) {
	t.Parallel()
	everyPlace(t, func(t *testing.T, n int) bool { return dieAt(t, n, nil) })
}

// TestThreat03KilledAtEveryCommitOnPostgres is the same there. What was held at its death is charged when its lease has lapsed.
func TestThreat03KilledAtEveryCommitOnPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	everyPlace(t, func(t *testing.T, n int) bool {
		return dieAt(t, n, env{"AIPASSPORT_DATABASE_URL": server.Database(t)})
	})
}

// everyPlace dies at each place of the story, some side by side, as each of them waits most of the time, until it lives to the end.
func everyPlace(t *testing.T, die func(t *testing.T, n int) (over bool)) {
	const (
		most     = 200 // places to die; the story has fewer
		together = 12
	)
	var places atomic.Int64
	for first := 1; places.Load() == 0; first += together {
		if first > most {
			t.Fatalf("the story is not over after %d places to die", most)
		}
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			for n := first; n < first+together; n++ {
				t.Run(strconv.Itoa(n), func(t *testing.T) {
					t.Parallel()
					if die(t, n) {
						places.CompareAndSwap(0, int64(n-1))
					}
				})
			}
		})
	}
	if places.Load() < 20 {
		t.Errorf("the story had %d places to die only: are there failpoints in it?", places.Load())
	}
	t.Logf("%d places to die", places.Load())
}

// told is what the broker has answered, up to its end.
type told struct {
	asked
	approved, revoked bool
	token             string
	calls             int // that were answered with 200
}

// dieAt tells the story to a broker that dies at a place in it. Over: it lived to its end.
func dieAt(t *testing.T, n int, e env) (over bool) {
	name, err := mortal()
	if err != nil {
		t.Fatal(err)
	}
	b := prepare(t, testutil.Provider(t, providerKeys), e)
	b.binary, b.env[failpoint] = name, strconv.Itoa(n)
	var s told
	if b.begin() {
		over = b.story(&s)
	}
	b.kill()
	if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}

	b.env[failpoint] = ""
	b.run()
	b.verify()
	if e == nil && s.id != "" && b.standing(s.id).ReservedMicroUsd != 0 {
		t.Error("money is held after the start")
	}
	if s.id == "" {
		return over
	}
	st, billed := b.settled(s.id), b.fake.Billed()
	if st.SettledMicroUsd < billed || st.SettledMicroUsd > 1_000_000 {
		t.Errorf("the provider billed %d, cap 1000000, now %+v", billed, st)
	}
	if sent := len(b.fake.Requests()); st.UsageCount < int64(sent) || sent < s.calls {
		t.Errorf("%d calls were sent, %d answered, %d are counted", sent, s.calls, st.UsageCount)
	}
	if s.revoked && st.Status != "revoked" || s.approved && !s.revoked && st.Status == "pending" {
		t.Errorf("told %+v, now it is %s", s, st.Status)
	}
	if s.revoked {
		if a := b.call(native[0], s.token, "after"); a.status != 401 {
			t.Errorf("a revoked token works again: %s", a)
		}
	}
	return over
}

// story is a grant from its request to its end: a call, one that the provider refuses, two at once, a stream.
func (b *broker) story(s *told) bool {
	b.fake.When("refuse this", fakeprovider.Behaviour{Status: 400})
	ask := func(method, path, body, token string, want int) (answer, bool) {
		a, err := b.try(method, path, body, bearer(token))
		if err == nil && a.status != want && a.status != 503 { // 503: the commit that it waited for was not to be
			b.t.Errorf("%s %s: %s", method, path, a)
		}
		return a, err == nil && a.status == want
	}
	a, ok := ask("POST", "/grant-requests", `{"appName":"Notes","appUrl":"https://notes.example.com","reason":"r","scope":`+native[0].scope(100, 50)+`}`, "", 201)
	if !ok {
		return false
	}
	s.id, s.secret = a.str("grant.id"), a.str("grantSecret")
	b.keepSecret(s.secret)
	if _, s.approved = ask("POST", "/grants/"+s.id+"/approve", `{"expiresInSeconds":3600}`, ownerToken, 200); !s.approved {
		return false
	}
	if a, ok = ask("POST", "/tokens", `{"grantId":"`+s.id+`","grantSecret":"`+s.secret+`"}`, "", 201); !ok {
		return false
	}
	s.token = a.str("token")
	b.keepSecret(s.token)
	for _, c := range []struct {
		prompt string
		stream bool
		want   int
	}{{"one", false, 200}, {"refuse this", false, 400}, {"two", false, 200}, {"three", true, 200}} {
		if _, ok := ask("POST", native[0].path, openAIBody("gpt-4o-mini", c.prompt, 100, c.stream), s.token, c.want); !ok {
			return false
		}
		if c.want == 200 {
			s.calls++
		}
		if _, ok := ask("GET", "/grants/"+s.id, "", ownerToken, 200); !ok { // waits for what was queued
			return false
		}
	}
	_, s.revoked = ask("POST", "/grants/"+s.id+"/revoke", "", ownerToken, 200)
	return s.revoked
}

// TestReleasesCannotBeKilledByTheEnvironment: the switch is in no binary but the one above.
func TestReleasesCannotBeKilledByTheEnvironment(t *testing.T) {
	if content := must(os.ReadFile(binary)); bytes.Contains(content, []byte(failpoint)) {
		t.Errorf("%s is in the binary", failpoint)
	}
}
