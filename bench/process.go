package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the broker is started with.
const (
	ownerToken = "bench-owner-0123456789"
	hmacSecret = "bench-secret-0123456789-0123456789-0123456789"
	openCalls  = 250 // of one app at one time: the broker's bound is 256
	patience   = 30 * time.Second
)

// process is a server under load.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  string // file, of a broker
	took time.Duration
}

// startBroker starts a broker on a data directory, new or used, and waits until it answers.
func startBroker(o options, data, upstream string, env ...string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	profile := o.profile
	if profile != "" {
		profile = filepath.Join(profile, filepath.Base(data))
		if err := os.MkdirAll(profile, 0o700); err != nil {
			return nil, err
		}
	}
	p := &process{cmd: exec.Command(o.binary, "serve"), addr: addr, log: data + ".log"}
	p.cmd.Env = append([]string{
		"AIPASSPORT_LISTEN=" + addr, "AIPASSPORT_DATA=" + filepath.Join(data, "data"), "AIPASSPORT_KEK_FILE=" + filepath.Join(data, "kek"),
		"AIPASSPORT_OWNER_TOKEN=" + ownerToken, "AIPASSPORT_FRESH_ABOVE=100000", "AIPASSPORT_GRANT_REQUESTS_PER_MINUTE=1000000", "AIPASSPORT_DATABASE_URL=" + o.database,
		"AIPASSPORT_PUBLIC_URL=http://localhost:3001", // tokens are good on whatever port the next start is
		"OPENAI_API_KEY=" + providerKey, "OPENAI_BASE_URL=http://" + upstream, "HOME=" + data, "AIPASSPORT_PROFILE=" + profile}, env...)
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	for {
		res, err := client.Get("http://" + addr + "/health")
		if err == nil {
			res.Body.Close()
			p.took = time.Since(begin)
			return p, nil
		}
		if time.Since(begin) > patience {
			p.stop()
			said, _ := os.ReadFile(p.log)
			return nil, fmt.Errorf("the broker does not answer: %w\n%s", err, said)
		}
		time.Sleep(time.Millisecond)
	}
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p.cmd.Process.Signal(os.Interrupt) != nil {
		return
	}
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	p.cmd.Wait()
}

// apps asks for n grants, approves them as the owner, and gets a token for each: what an app and a person do.
func (p *process) apps(n int) (tokens []string, err error) {
	for i := range n {
		ask := fmt.Sprintf(`{"appName":"bench %d","appUrl":"https://bench%d.example.com","reason":"to measure","scope":{"provider":"openai","models":["gpt-4o-mini"],`+
			`"capabilities":["chat"],"maxBudgetCents":10000000,"maxRequests":100000000,"rateLimit":1000000}}`, i, i)
		g, err := p.post("/grant-requests", ask, "")
		if err != nil {
			return nil, err
		}
		grant, _ := g["grant"].(map[string]any)
		id := text(grant, "id")
		if _, err := p.post("/grants/"+id+"/approve", `{"expiresInSeconds":86400}`, ownerToken); err != nil {
			return nil, err
		}
		t, err := p.post("/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, id, text(g, "grantSecret")), "")
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, text(t, "token"))
	}
	return tokens, nil
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func (p *process) post(path, body, bearer string) (map[string]any, error) {
	req, err := http.NewRequest("POST", "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil || res.StatusCode > 299 {
		return nil, errors.Join(err, fmt.Errorf("POST %s: %s: %s", path, res.Status, b))
	}
	return m, nil
}

// used is what a process has used: its CPU time and its memory now. Zero where there is no /proc, as outside Linux.
type used struct {
	cpu    time.Duration
	memory int64 // resident, bytes
}

// use reads /proc/PID/stat (proc_pid_stat(5)): fields 14 and 15 in ticks of 10 ms, 24 in pages.
func (p *process) use() used {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return used{}
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 22 {
		return used{}
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	return used{time.Duration(number(11)+number(12)) * 10 * time.Millisecond, number(21) * int64(os.Getpagesize())}
}
