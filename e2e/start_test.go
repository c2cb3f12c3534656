package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestStartRefuses: a wrong setting is one clear line that names it, and the exit code is not 0.
func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	notDir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("AIPASSPORT_LISTEN=127.0.0.1:0\nAIPASSPORT_COLOUR=red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, takenPort, _ := net.SplitHostPort(taken.Addr().String())
	own := "127.0.0.1:" + freePort(t)
	for _, c := range []struct {
		name string
		e    env
		args []string
		want []string // in the one line
	}{
		{"token life is no number", env{"TOKEN_TTL_SECONDS": "abc"}, nil, []string{"TOKEN_TTL_SECONDS", "abc"}},
		{"token life of 0", env{"TOKEN_TTL_SECONDS": "0"}, nil, []string{"TOKEN_TTL_SECONDS"}},
		{"short secret", env{"JWT_SECRET": "short"}, nil, []string{"JWT_SECRET", "32"}},
		{"short owner token", env{"AIPASSPORT_OWNER_TOKEN": "short"}, nil, []string{"AIPASSPORT_OWNER_TOKEN", "16"}},
		{"port taken", env{"AIPASSPORT_LISTEN": "", "PORT": takenPort}, nil, []string{"PORT", takenPort}},
		{"address taken", env{"AIPASSPORT_LISTEN": taken.Addr().String()}, nil, []string{"AIPASSPORT_LISTEN"}},
		{"no port", env{"AIPASSPORT_LISTEN": "", "PORT": "70000"}, nil, []string{"PORT"}},
		{"data below a file", env{"AIPASSPORT_DATA": filepath.Join(notDir, "data")}, nil, []string{"AIPASSPORT_DATA"}},
		{"data that is a file", env{"AIPASSPORT_DATA": notDir}, nil, []string{"AIPASSPORT_DATA"}},
		{"key file in the data directory", env{"AIPASSPORT_DATA": "/tmp/x", "AIPASSPORT_KEK_FILE": "/tmp/x/kek"}, nil, []string{"AIPASSPORT_KEK_FILE"}},
		{"own base URL", env{"AIPASSPORT_LISTEN": own, "OPENAI_BASE_URL": "http://" + own}, nil, []string{"OPENAI_BASE_URL"}},
		{"own base URL by name", env{"AIPASSPORT_LISTEN": own, "GOOGLE_BASE_URL": strings.Replace("http://"+own, "127.0.0.1", "localhost", 1)}, nil, []string{"GOOGLE_BASE_URL"}},
		{"base URL of no kind", env{"ANTHROPIC_BASE_URL": "ftp://x"}, nil, []string{"ANTHROPIC_BASE_URL"}},
		{"unknown setting in the file", env{"AIPASSPORT_CONFIG": config}, nil, []string{"AIPASSPORT_COLOUR"}},
		{"unknown flag", nil, []string{"--colour=red"}, []string{"--colour"}},
		{"all interfaces", env{"AIPASSPORT_LISTEN": "0.0.0.0:0"}, nil, []string{"AIPASSPORT_LISTEN", "AIPASSPORT_TLS_CERT"}},
		{"plain public URL", env{"AIPASSPORT_PUBLIC_URL": "http://broker.example.com"}, nil, []string{"AIPASSPORT_PUBLIC_URL", "https"}},
		{"body limit", env{"AIPASSPORT_MAX_BODY": "lots"}, nil, []string{"AIPASSPORT_MAX_BODY"}},
		{"duration", env{"AIPASSPORT_READ_HEADER_TIMEOUT": "10"}, nil, []string{"AIPASSPORT_READ_HEADER_TIMEOUT"}},
		{"certificate", env{"AIPASSPORT_TLS_CERT": "/nowhere/cert.pem", "AIPASSPORT_TLS_KEY": "/nowhere/key.pem"}, nil, []string{"AIPASSPORT_TLS_CERT"}},
		{"proxies", env{"AIPASSPORT_BEHIND_PROXY": "proxy"}, nil, []string{"AIPASSPORT_BEHIND_PROXY"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			e := env{"PATH": os.Getenv("PATH"), "HOME": dir, "AIPASSPORT_DATA": filepath.Join(dir, "data"), "AIPASSPORT_LISTEN": "127.0.0.1:0",
				"OPENAI_API_KEY": openAIKey}
			for k, v := range c.e {
				e[k] = v
			}
			code, out := runOnce(t, e, append([]string{"serve"}, c.args...)...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			last := lines[len(lines)-1]
			if code == 0 {
				t.Fatalf("it started:\n%s", out)
			}
			for _, w := range c.want {
				if !strings.Contains(last, w) {
					t.Errorf("%q is not in the last line of:\n%s", w, out)
				}
			}
			if strings.Contains(out, "panic") || strings.Contains(out, "goroutine") || strings.Contains(out, openAIKey) || len(lines) > 2 {
				t.Errorf("more than one clear line:\n%s", out)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// runOnce runs a command that must end by itself.
func runOnce(t *testing.T, e env, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(testutil.Context(t), binary, args...)
	cmd.Env = e.list()
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// TestStartIsQuick: the first answer comes within 100 ms of the start where the machine is idle; twenty times that is a defect
// on any machine.
func TestStartIsQuick(t *testing.T) {
	b := start(t, nil)
	b.stop(syscall.SIGTERM)
	began := time.Now()
	b.run()
	if a := b.send("GET", "/health", "", nil); a.status != 200 {
		t.Error(a)
	}
	d := time.Since(began)
	t.Logf("first answer after %s", d)
	if d > 2*time.Second {
		t.Errorf("the first answer took %s", d)
	}
}

// TestConfigCheck says what is in force and no secret.
func TestConfigCheck(t *testing.T) {
	e := env{"HOME": t.TempDir(), "OPENAI_API_KEY": openAIKey, "AIPASSPORT_OWNER_TOKEN": ownerToken, "PORT": "4001"}
	code, out := runOnce(t, e, "config", "check")
	if code != 0 || !strings.Contains(out, "4001") || !strings.Contains(out, "OPENAI_API_KEY") || strings.Contains(out, openAIKey) || strings.Contains(out, ownerToken) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	e["TOKEN_TTL_SECONDS"] = "abc"
	if code, out := runOnce(t, e, "config", "check"); code == 0 || !strings.Contains(out, "TOKEN_TTL_SECONDS") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// TestHelp names the commands and the settings.
func TestHelp(t *testing.T) {
	code, out := runOnce(t, env{"HOME": t.TempDir()}, "--help")
	for _, w := range []string{"serve", "demo", "config", "token"} {
		if code != 0 || !strings.Contains(out, w) {
			t.Errorf("exit %d, %q is missing:\n%s", code, w, out)
		}
	}
	if code, out := runOnce(t, env{"HOME": t.TempDir()}, "serve", "--help"); code != 0 || !strings.Contains(out, "AIPASSPORT_DATA") || !strings.Contains(out, "TOKEN_TTL_SECONDS") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// TestHS256 signs with JWT_SECRET where it is set, and tokens survive a restart with it.
func TestHS256(t *testing.T) {
	b := start(t, env{"JWT_SECRET": "canary-jwt-secret-0123456789abcdef0123"})
	g := b.give(goodScope)
	if header := decodePart(t, g.token, 0); header["alg"] != "HS256" {
		t.Errorf("header %v", header)
	}
	b.kill()
	b.run()
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Errorf("after a restart: %s", a)
	}
	b.kill()
	b.env["JWT_SECRET"] = "another-jwt-secret-0123456789abcdef012"
	b.run()
	if a := b.call(native[0], g.token, "x"); a.status != 401 {
		t.Errorf("with another secret: %s", a)
	}
}

// TestDemo tells the whole story by itself and stays up until it is told to stop.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(binary, "demo", "--yes", "--no-browser")
	cmd.Env = env{"PATH": os.Getenv("PATH"), "HOME": dir, "PORT": "0", "AIPASSPORT_LISTEN": "127.0.0.1:0", "AIPASSPORT_DATA": filepath.Join(dir, "data")}.list()
	cmd.Dir = dir
	out := &journal{}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	out.begin(pipe)
	if !out.awaitText(testutil.Patience, "repo-mood, is at") {
		t.Fatalf("it does not come to its end:\n%s", out.tail(-1))
	}
	cmd.Process.Signal(os.Interrupt)
	out.wait()
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	text := strings.ToLower(out.tail(-1))
	for _, w := range []string{"sandbox", "/consent/", "token", "$", "revoke", "http://", "ctrl-c", "repo-mood, is at http://127.0.0.1:"} {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in the story:\n%s", w, text)
		}
	}
}
