package e2e_test

import (
	"bytes"
	"cmp"
	"errors"
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
	t      *testing.T
	fake   *fakeprovider.Fake
	binary string // empty: the one of all tests
	data   string
	env    env
	http   *http.Transport

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
	b := prepare(t, fake, e)
	b.run()
	return b
}

// prepare is start, but for the start.
func prepare(t *testing.T, fake *fakeprovider.Fake, e env) *broker {
	t.Helper()
	dir := t.TempDir()
	b := &broker{t: t, fake: fake, data: filepath.Join(dir, "data"), log: &journal{}, env: env{
		"PATH": os.Getenv("PATH"), "HOME": dir, "AIPASSPORT_DATA": filepath.Join(dir, "data"), "AIPASSPORT_KEK_FILE": filepath.Join(dir, "kek"),
		"AIPASSPORT_LISTEN": "127.0.0.1:0", "AIPASSPORT_OWNER_TOKEN": ownerToken, "AIPASSPORT_FRESH_ABOVE": "100000", "AIPASSPORT_GRANT_REQUESTS_PER_MINUTE": "100000",
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
	if !b.begin() {
		b.t.Fatalf("the broker does not listen:\n%s", b.log.tail(8000))
	}
}

// begin is run, and says whether it came to listening.
func (b *broker) begin() bool {
	b.t.Helper()
	b.cmd = exec.Command(cmp.Or(b.binary, binary), "serve")
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
		return false
	}
	addr := line["addr"].(string)
	b.url = "http://" + addr
	b.env["AIPASSPORT_LISTEN"] = addr // a restart is at the same address, which is part of the tokens
	return true
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
