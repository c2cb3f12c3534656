package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// What must be found nowhere.
const (
	canaryPrompt = "canary-prompt-61c07d1e5b"
	ownerToken   = "owner-canary-4d1f0a9b8c7e6f52"
	openAIKey    = "sk-canary-openai-9f1c2d3e4b5a69788796a5b4c3d2e1f0"
	anthropicKey = "sk-ant-canary-0c9b8a7f6e5d4c3b2a1908f7e6d5c4b3"
	googleKey    = "AIzaCanary-77aa66bb55cc44dd33ee22ff11001122"
)

var providerKeys = fakeprovider.Keys{OpenAI: openAIKey, Anthropic: anthropicKey, Google: googleKey}

// env is environment for the broker. An empty value takes a variable away.
type env map[string]string

// broker is one data directory with the process that serves it now.
type broker struct {
	t    *testing.T
	fake *fakeprovider.Fake
	data string
	env  env
	http *http.Transport

	url string // http://127.0.0.1:port
	cmd *exec.Cmd
	log *journal

	mu      sync.Mutex // guards what follows
	secrets []string   // tokens and grant secrets that were given out
	seen    bytes.Buffer
}

// start runs a broker of its own for the test, with a fake provider behind it, and looks for leaks at the end.
func start(t *testing.T, e env) *broker {
	t.Helper()
	return startWith(t, testutil.Provider(t, providerKeys), e)
}

func startWith(t *testing.T, fake *fakeprovider.Fake, e env) *broker {
	t.Helper()
	dir := t.TempDir()
	b := &broker{t: t, fake: fake, data: filepath.Join(dir, "data"), log: &journal{}, env: env{
		"PATH": os.Getenv("PATH"), "HOME": dir, "AIPASSPORT_DATA": filepath.Join(dir, "data"), "AIPASSPORT_KEK_FILE": filepath.Join(dir, "kek"),
		"AIPASSPORT_LISTEN": "127.0.0.1:0", "AIPASSPORT_OWNER_TOKEN": ownerToken, "AIPASSPORT_GRANT_REQUESTS_PER_MINUTE": "100000",
		"OPENAI_API_KEY": openAIKey, "ANTHROPIC_API_KEY": anthropicKey, "GOOGLE_API_KEY": googleKey,
		"OPENAI_BASE_URL": fake.Origin, "ANTHROPIC_BASE_URL": fake.Origin, "GOOGLE_BASE_URL": fake.Origin,
	}}
	maps.Copy(b.env, e)
	b.http = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 300}
	t.Cleanup(func() {
		b.http.CloseIdleConnections()
		b.kill()
		b.lookForLeaks()
		if t.Failed() {
			t.Logf("log of the broker:\n%s", b.log.tail(8000))
		}
	})
	b.run()
	return b
}

func (e env) list() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(e)) {
		if e[k] != "" {
			out = append(out, k+"="+e[k])
		}
	}
	return out
}

// run starts the process and waits until it says where it listens.
func (b *broker) run() {
	b.t.Helper()
	b.cmd = exec.Command(binary, "serve")
	b.cmd.Env = b.env.list()
	out, err := b.cmd.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cmd.Stdout = b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.log.begin(out)
	line, ok := b.log.await(testutil.Patience, func(m map[string]any) bool { return m["msg"] == "listening" })
	if !ok {
		b.t.Fatalf("the broker does not listen:\n%s", b.log.tail(8000))
	}
	addr := line["addr"].(string)
	b.url = "http://" + addr
	b.env["AIPASSPORT_LISTEN"] = addr // a restart is at the same address, which is part of the tokens
}

// kill ends the process at once (SIGKILL), if it runs.
func (b *broker) kill() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Kill()
	b.log.wait()
	b.cmd.Wait()
	b.cmd = nil
	b.http.CloseIdleConnections()
}

// stop sends a signal, waits for the end and returns the exit code.
func (b *broker) stop(sig syscall.Signal) int {
	b.t.Helper()
	b.cmd.Process.Signal(sig)
	b.log.wait()
	err := b.cmd.Wait()
	b.cmd = nil
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return 0
}

// lookForLeaks searches all that came out of the broker and all that it left on disk.
func (b *broker) lookForLeaks() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range []string{"DATA RACE", `"msg":"panic"`, "panic: ", "fatal error: "} {
		if text := b.log.tail(-1); strings.Contains(text, bad) {
			b.t.Errorf("%s in the log: %.3000s", bad, text[strings.Index(text, bad):])
		}
	}
	places := map[string][]byte{"the log": []byte(b.log.tail(-1)), "an answer": b.seen.Bytes()}
	err := filepath.WalkDir(b.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		places["file "+d.Name()] = content
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.t.Error(err)
	}
	forbidden := append([]string{openAIKey, anthropicKey, googleKey, canaryPrompt, b.env["AIPASSPORT_OWNER_TOKEN"], b.env["JWT_SECRET"]}, b.secrets...)
	for where, content := range places {
		for _, f := range forbidden {
			if f == canaryPrompt && where == "an answer" {
				continue // a caller may be told what it said
			}
			if f != "" && bytes.Contains(content, []byte(f)) {
				i := bytes.Index(content, []byte(f))
				b.t.Errorf("LEAK: %.12s... is in %s: ...%.300q", f, where, content[max(0, i-80):])
			}
		}
	}
}

// received keeps what a client got, to be searched at the end. It returns p.
func (b *broker) received(p []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen.Write(p)
	return p
}

func (b *broker) keepSecret(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets = append(b.secrets, s)
}

// journal is the broker's log: every line of stderr and stdout, also read as JSON where it is.
type journal struct {
	mu      sync.Mutex // guards what follows
	text    bytes.Buffer
	lines   []map[string]any
	from    int // index in lines of the first line of this run
	changed chan struct{}
	done    chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) begin(r io.Reader) {
	j.mu.Lock()
	j.from, j.changed, j.done = len(j.lines), make(chan struct{}), make(chan struct{})
	j.mu.Unlock()
	go func() {
		defer close(j.done)
		br := bufio.NewReader(r)
		for {
			line, err := br.ReadString('\n')
			j.add(line)
			if err != nil {
				return
			}
		}
	}()
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.WriteString(line)
	var m map[string]any
	if json.Unmarshal([]byte(line), &m) == nil {
		j.lines = append(j.lines, m)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) wait() { <-j.done }

// await returns the first JSON line of this run that fits.
func (j *journal) await(d time.Duration, fits func(map[string]any) bool) (map[string]any, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		j.mu.Lock()
		changed := j.changed
		for _, m := range j.lines[j.from:] {
			if fits(m) {
				j.mu.Unlock()
				return m, true
			}
		}
		j.mu.Unlock()
		select {
		case <-changed:
		case <-j.done:
			return nil, false
		case <-timer.C:
			return nil, false
		}
	}
}

// tail is the end of the text; all of it for n < 0.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.text.String()
	if n >= 0 && len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

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
	if path != "/tokens" && path != "/grant-requests" {
		b.received(p)
	}
	return answer{res.StatusCode, res.Header, p}, err
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
