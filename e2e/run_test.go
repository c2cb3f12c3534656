package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// command is aipassport as somebody types it, beside a broker.
type command struct {
	b        *broker
	cmd      *exec.Cmd
	in       io.WriteCloser
	out, err *bufio.Scanner
	said     bytes.Buffer // on stderr, once it is read
}

// types starts a command whose environment is that of a person: with keys of their own.
func (b *broker) types(e env, args ...string) *command {
	b.t.Helper()
	with := env{"PATH": b.env["PATH"], "HOME": b.env["HOME"], "AIPASSPORT_BROKER_URL": b.url, "AIPASSPORT_OWNER_TOKEN": ownerToken, "AIPASSPORT_DATABASE_URL": "",
		"OPENAI_API_KEY": openAIKey, "ANTHROPIC_AUTH_TOKEN": anthropicKey, "GEMINI_KEY": googleKey, "OPENAI_BASE_URL": "https://elsewhere.example/v1", "OPENAI_ORG_ID": "org", "FAVOURITE": "tea"}
	maps.Copy(with, e)
	c := &command{b: b, cmd: exec.CommandContext(testutil.Context(b.t), binary, args...)}
	c.cmd.Env = with.list()
	in, err1 := c.cmd.StdinPipe()
	out, err2 := c.cmd.StdoutPipe()
	errs, err3 := c.cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, c.cmd.Start()); err != nil {
		b.t.Fatal(err)
	}
	c.in, c.out, c.err = in, bufio.NewScanner(out), bufio.NewScanner(io.TeeReader(errs, &c.said))
	return c
}

// until reads lines up to one that has a text in it, and returns all of them.
func (c *command) until(lines *bufio.Scanner, text string) (all []string) {
	c.b.t.Helper()
	for lines.Scan() {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), text) {
			return all
		}
	}
	c.b.t.Fatalf("%q was not said, but %q, %s", text, all, c.said.String())
	return nil
}

// ends reads to the end and returns the exit code and what was said on stderr.
func (c *command) ends() (code int, said string) {
	c.b.t.Helper()
	for c.out.Scan() {
	}
	for c.err.Scan() {
	}
	err := c.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		c.b.t.Fatal(err)
	}
	c.b.received(c.said.Bytes())
	return c.cmd.ProcessState.ExitCode(), c.said.String()
}

// environment reads what a child printed with env, up to a line that says so.
func (c *command) environment() map[string]string {
	c.b.t.Helper()
	got := map[string]string{}
	for _, line := range c.until(c.out, "THAT IS ALL") {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	c.b.keepSecret(got["OPENAI_API_KEY"])
	return got
}

// newest is the newest grant.
func (b *broker) newest() string {
	b.t.Helper()
	a := b.owner("GET", "/grants", "")
	_, rest, _ := strings.Cut(string(a.body), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

const shows = "env; echo THAT IS ALL; read line; exit 7"

// TestRunGivesACommandAccess: a grant and a key of its own, the variables of the SDKs and nobody else's keys; what it spent is told, and the
// access ends with it. The exit code is its own.
func TestRunGivesACommandAccess(t *testing.T) {
	b := start(t, nil)
	c := b.types(nil, "run", "--yes", "--provider", "openai,anthropic", "--model", "openai/gpt-4o-mini", "--model", "anthropic/claude-sonnet-4-5",
		"--budget", "2.00", "--calls", "5", "--for", "30m", "--app", "My tool", "--", "sh", "-c", shows, "sh", "secret-argument", "--config=none")
	got := c.environment()
	key := got["OPENAI_API_KEY"]
	for name, want := range map[string]string{
		"OPENAI_BASE_URL": b.url + "/v1", "ANTHROPIC_BASE_URL": b.url + "/anthropic", "GOOGLE_GEMINI_BASE_URL": b.url + "/google", "FAVOURITE": "tea",
		"ANTHROPIC_API_KEY": key, "GOOGLE_API_KEY": key, "GEMINI_API_KEY": key,
		"ANTHROPIC_AUTH_TOKEN": "", "GEMINI_KEY": "", "OPENAI_ORG_ID": "", "AIPASSPORT_OWNER_TOKEN": "", "AIPASSPORT_BROKER_URL": "",
	} {
		if got[name] != want {
			t.Errorf("%s: got %.20q, want %.20q", name, got[name], want)
		}
	}
	if !strings.HasPrefix(key, "aip_") {
		t.Errorf("got %.12q, want an SDK key", key)
	}
	for _, s := range native[:2] {
		if a := b.call(s, key, "from a command"); a.status != 200 {
			t.Errorf("%s: %s", s.name, a)
		}
	}
	if a := b.call(native[2], key, "not granted"); a.status != 403 {
		t.Errorf("a provider that was not granted: %s", a)
	}
	id := b.newest()
	a := b.owner("GET", "/grants/"+id, "")
	if !strings.Contains(string(a.body), `"appName":"My tool"`) || strings.Count(string(a.body), `"maxBudgetCents":100`) != 2 ||
		strings.Count(string(a.body), `"maxRequests":5`) != 2 || strings.Contains(string(a.body), "secret-argument") {
		t.Errorf("asked for %s", a)
	}
	c.in.Close()
	code, said := c.ends()
	if code != 7 || !strings.Contains(said, "aipassport: 2 calls, ") || !strings.Contains(said, " of $2.00 never spent. The access has ended.") {
		t.Errorf("exit %d, %s", code, said)
	}
	if st := b.standing(id); st.Status != "revoked" || st.ReservedMicroUsd != 0 || st.SettledMicroUsd == 0 {
		t.Errorf("got %+v, want a revoked grant with two calls", st)
	}
	if a := b.call(native[0], key, "after"); a.status != 401 {
		t.Errorf("after the end: %s", a)
	}
}

// TestRunPassesSignalsOn and ends the access, whatever ends the command.
func TestRunPassesSignalsOn(t *testing.T) {
	b := start(t, nil)
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal
		code   int
	}{
		"TERM":          {"echo THAT IS ALL; exec cat", syscall.SIGTERM, 143},
		"INT":           {"echo THAT IS ALL; exec cat", syscall.SIGINT, 130},
		"INT is caught": {"trap 'exit 9' INT; echo THAT IS ALL; read line", syscall.SIGINT, 9},
		"it is killed":  {"kill -9 $$", 0, 137},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.types(nil, "run", "--yes", "--", "sh", "-c", c.script)
			if c.signal != 0 {
				r.until(r.out, "THAT IS ALL")
				r.cmd.Process.Signal(c.signal)
			}
			code, said := r.ends()
			if code != c.code || !strings.Contains(said, "0 calls, $0.00 spent") {
				t.Errorf("exit %d, want %d: %s", code, c.code, said)
			}
			if st := b.standing(b.newest()); st.Status != "revoked" {
				t.Errorf("the grant is %s", st.Status)
			}
		})
	}
}

// TestRunWaitsForAPerson: approved, it has a token; denied, unanswered or interrupted, the command is not run and the request is taken back.
func TestRunWaitsForAPerson(t *testing.T) {
	b := start(t, nil)
	const want = "echo IT RAN"
	begin := func(more ...string) (c *command, id string) {
		c = b.types(env{"AIPASSPORT_OWNER_TOKEN": ""}, append(append([]string{"run", "--no-browser"}, more...), "--", "sh", "-c", want+"; "+shows)...)
		lines := c.until(c.err, "/consent/")
		_, id, _ = strings.Cut(lines[len(lines)-1], "/consent/")
		return c, id
	}
	c, id := begin()
	b.approve(id, `{"expiresInSeconds":600}`)
	key := c.environment()["ANTHROPIC_API_KEY"]
	if a := b.call(native[0], key, "with a token"); a.status != 200 || strings.HasPrefix(key, "aip_") {
		t.Errorf("%.6s: %s", key, a)
	}
	c.in.Close()
	if code, said := c.ends(); code != 7 || !strings.Contains(said, "1 call, ") || b.standing(id).Status != "revoked" {
		t.Errorf("exit %d, %s", code, said)
	}
	for name, end := range map[string]struct {
		args []string
		do   func(*command, string)
		said string
	}{
		"denied":      {nil, func(_ *command, id string) { b.owner("POST", "/grants/"+id+"/deny", "") }, "the request was answered: denied"},
		"unanswered":  {[]string{"--wait", "1s"}, func(*command, string) {}, "nobody answered within 1s"},
		"interrupted": {nil, func(c *command, _ string) { c.cmd.Process.Signal(syscall.SIGINT) }, "aipassport: "},
	} {
		c, id := begin(end.args...)
		end.do(c, id)
		code, said := c.ends()
		if st := b.standing(id).Status; code != 1 || !strings.Contains(said, end.said) || st == "pending" || st == "approved" {
			t.Errorf("%s: exit %d, the grant is %s: %s", name, code, st, said)
		}
	}
}

// TestRunRefusesWhatItCannotDo, before it asks anybody.
func TestRunRefusesWhatItCannotDo(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		e    env
		args []string
		said string
	}{
		{nil, []string{"--yes"}, "expected"},
		{nil, []string{"--yes", "--", "no-such-command"}, "no-such-command"},
		{nil, []string{"--budget", "1.005", "--", "sh"}, "--budget"},
		{nil, []string{"--budget", "-1", "--", "sh"}, "--budget"},
		{nil, []string{"--for", "0s", "--", "sh"}, "--for"},
		{nil, []string{"--provider", "openai,google", "--model", "gpt-4o", "--", "sh"}, "provider/model"},
		{env{"AIPASSPORT_BROKER_URL": "http://broker.example"}, []string{"--", "sh"}, "https"},
		{env{"AIPASSPORT_BROKER_URL": "http://127.0.0.1:1"}, []string{"--", "sh"}, "does not answer"},
	} {
		code, said := b.types(c.e, append([]string{"run"}, c.args...)...).ends()
		if code != 1 || !strings.Contains(said, c.said) {
			t.Errorf("%v: exit %d, want %q: %s", c.args, code, c.said, said)
		}
	}
	if a := b.owner("GET", "/grants", ""); string(a.body) != "[]" {
		t.Errorf("somebody was asked: %s", a)
	}
	// The owner's bearer is wrong: the request that was made is taken back.
	code, said := b.types(env{"AIPASSPORT_OWNER_TOKEN": "not the owner's bearer"}, "run", "--yes", "--", "sh").ends()
	if code != 1 || !strings.Contains(said, "the broker says: ") || b.standing(b.newest()).Status != "revoked" {
		t.Errorf("a wrong bearer: exit %d, %s", code, said)
	}
}

// TestKeysOnTheCommandLine: made, listed, revoked; without a bearer as who can read the broker's data.
func TestKeysOnTheCommandLine(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	local := env{"AIPASSPORT_OWNER_TOKEN": "", "AIPASSPORT_DATA": b.data}
	c := b.types(local, "key", "create", "--grant", g.id, "--name", "ci", "--expires", "10m")
	c.out.Scan()
	key := c.out.Text()
	b.keepSecret(key)
	if code, said := c.ends(); code != 0 || !strings.Contains(said, "aipassport key revoke --grant "+g.id) {
		t.Fatalf("exit %d: %s", code, said)
	}
	if a := b.call(native[0], key, "hello"); a.status != 200 {
		t.Fatalf("%s", a)
	}
	c = b.types(nil, "key", "list", "--grant", g.id)
	line := c.until(c.out, key[:10])
	if code, said := c.ends(); code != 0 || !strings.Contains(line[len(line)-1], "ci") || strings.Contains(line[len(line)-1], key) {
		t.Errorf("exit %d: %s %s", code, line, said)
	}
	id, _, _ := strings.Cut(line[len(line)-1], " ")
	if code, said := b.types(local, "key", "revoke", "--grant", g.id, id).ends(); code != 0 || !strings.Contains(said, "Revoked") {
		t.Errorf("exit %d: %s", code, said)
	}
	if a := b.call(native[0], key, "after"); a.status != 401 {
		t.Errorf("after the revoke: %s", a)
	}
	for _, args := range [][]string{{"create", "--grant", "nothing"}, {"list", "--grant", "nothing"}, {"revoke", "--grant", g.id, "nothing"}} {
		if code, said := b.types(nil, append([]string{"key"}, args...)...).ends(); code != 1 || !strings.Contains(said, "the broker says: ") {
			t.Errorf("%v: exit %d: %s", args, code, said)
		}
	}
}
