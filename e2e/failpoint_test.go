package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

const failpoint = "AIPASSPORT_FAILPOINT"

// TestThreat03KilledAtEveryCommit kills the broker before and after every commit of a story, one at a time, and starts it
// again: what was answered is there, what the provider billed is covered, the ledger adds up.
func TestThreat03KilledAtEveryCommit(t *testing.T) {
	mortal := filepath.Join(t.TempDir(), "aipassport")
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", mortal, "github.com/devrelopers/aipassport/cmd/aipassport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the broker with failpoints: %v\n%s", err, out)
	}
	const most = 200 // places to die; the story has fewer
	for n := 1; ; n++ {
		if n > most {
			t.Fatalf("the story is not over after %d places to die", most)
		}
		over := false
		t.Run(strconv.Itoa(n), func(t *testing.T) { over = dieAt(t, mortal, n) })
		if over {
			if n < 20 {
				t.Errorf("the story had %d places to die only: are there failpoints in it?", n-1)
			}
			t.Logf("%d places to die", n-1)
			return
		}
	}
}

// told is what the broker has answered, up to its end.
type told struct {
	asked
	approved, revoked bool
	token             string
	calls             int // that were answered with 200
}

// dieAt tells the story to a broker that dies at a place in it. Over: it lived to its end.
func dieAt(t *testing.T, mortal string, n int) (over bool) {
	b := prepare(t, testutil.Provider(t, providerKeys), nil)
	b.binary, b.env[failpoint] = mortal, strconv.Itoa(n)
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
	if s.id == "" {
		return over
	}
	st := b.standing(s.id)
	billed := b.fake.Billed()
	if st.ReservedMicroUsd != 0 || st.SettledMicroUsd < billed || st.SettledMicroUsd > 1_000_000 {
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
