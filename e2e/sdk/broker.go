package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// What the broker lends and nobody else may see.
const (
	ownerToken   = "owner-of-the-sdk-suites-5a1c7e"
	openAIKey    = "sk-sdk-suites-openai-9f1c2d3e4b5a6978"
	anthropicKey = "sk-ant-sdk-suites-0c9b8a7f6e5d4c3b"
	googleKey    = "AIzaSdkSuites-77aa66bb55cc44dd33ee"
)

// broker is the process under test with a fake provider behind it.
type broker struct {
	url  string // http://127.0.0.1:port
	fake *fakeprovider.Fake
	stop func()

	mu   sync.Mutex // guards what follows
	log  bytes.Buffer
	made []string // tokens and SDK keys, which the log must not have
}

// startBroker runs a broker on a free port, with a data directory of its own, and waits until it listens.
func startBroker(ctx context.Context, binary string) (*broker, error) {
	b := &broker{fake: fakeprovider.New(fakeprovider.Keys{OpenAI: openAIKey, Anthropic: anthropicKey, Google: googleKey})}
	stopFake, err := b.fake.Start()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "aipassport-sdk-")
	if err != nil {
		return nil, err
	}
	binary, err = filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AIPASSPORT_DATA=" + dir + "/data", "AIPASSPORT_KEK_FILE=" + dir + "/kek",
		"AIPASSPORT_LISTEN=127.0.0.1:0", "AIPASSPORT_OWNER_TOKEN=" + ownerToken, "AIPASSPORT_FRESH_ABOVE=100000", "AIPASSPORT_GRANT_REQUESTS_PER_MINUTE=100000",
		"OPENAI_API_KEY=" + openAIKey, "ANTHROPIC_API_KEY=" + anthropicKey, "GOOGLE_API_KEY=" + googleKey,
		"OPENAI_BASE_URL=" + b.fake.Origin, "ANTHROPIC_BASE_URL=" + b.fake.Origin, "GOOGLE_BASE_URL=" + b.fake.Origin}
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	listening, ended := make(chan string, 1), make(chan struct{})
	go b.read(out, listening, ended)
	b.stop = func() {
		cmd.Process.Signal(syscall.SIGKILL)
		<-ended
		cmd.Wait()
		stopFake()
		os.RemoveAll(dir)
	}
	select {
	case addr := <-listening:
		b.url = "http://" + addr
		return b, nil
	case <-ended:
	case <-time.After(30 * time.Second):
	}
	b.stop()
	return nil, fmt.Errorf("the broker does not listen:\n%s", b.tail(4000))
}

// read keeps the log, and tells the address once.
func (b *broker) read(r io.Reader, listening chan<- string, ended chan<- struct{}) {
	defer close(ended)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		b.mu.Lock()
		b.log.Write(append(lines.Bytes(), '\n'))
		b.mu.Unlock()
		var m struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &m) == nil && m.Msg == "listening" {
			select {
			case listening <- m.Addr:
			default:
			}
		}
	}
}

// tail is the end of the log.
func (b *broker) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.log.String()
	return text[max(0, len(text)-n):]
}

// leaks says what must not be in the log and is.
func (b *broker) leaks() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []string
	for _, secret := range append([]string{ownerToken, openAIKey, anthropicKey, googleKey, markBegin, `"msg":"panic"`, "panic: "}, b.made...) {
		if strings.Contains(b.log.String(), secret) {
			found = append(found, fmt.Sprintf("%.12s... is in the broker's log", secret))
		}
	}
	return found
}

// ask makes a request at the broker and reads its JSON answer into out.
func (b *broker) ask(ctx context.Context, method, path, bearer, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// grant asks for a grant, approves it as the owner and gets its token.
func (b *broker) grant(ctx context.Context, details string) (id, token string, err error) {
	var asked struct {
		Grant       struct{ ID string }
		GrantSecret string
	}
	body := `{"appName":"SDK suites","appUrl":"https://sdk.example.com","reason":"to be tested","authorizationDetails":[` + details + `]}`
	if err := b.ask(ctx, "POST", "/grant-requests", "", body, &asked); err != nil {
		return "", "", err
	}
	var any map[string]any
	if err := b.ask(ctx, "POST", "/grants/"+asked.Grant.ID+"/approve", ownerToken, `{"expiresInSeconds":3600}`, &any); err != nil {
		return "", "", err
	}
	var made struct{ Token string }
	err = b.ask(ctx, "POST", "/tokens", "", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, asked.Grant.ID, asked.GrantSecret), &made)
	if err == nil && made.Token == "" {
		err = errors.New("POST /tokens gave no token")
	}
	b.keepSecret(made.Token)
	return asked.Grant.ID, made.Token, err
}

// key makes an SDK key of a grant, as its owner.
func (b *broker) key(ctx context.Context, grant string) (string, error) {
	var made struct{ Key string }
	err := b.ask(ctx, "POST", "/grants/"+grant+"/keys", ownerToken, `{"name":"SDK suites"}`, &made)
	if err == nil && !strings.HasPrefix(made.Key, "aip_") {
		err = errors.New("POST /grants/{id}/keys gave no SDK key")
	}
	b.keepSecret(made.Key)
	return made.Key, err
}

// keepSecret notes a text that the log must not have.
func (b *broker) keepSecret(text string) {
	if text == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = append(b.made, text)
}

// standing is what a grant has cost and what is held for calls that run.
type standing struct {
	SettledMicroUsd, ReservedMicroUsd, UsageCount int64
}

// settled waits until nothing of a grant is held any more.
func (b *broker) settled(ctx context.Context, id string) (standing, error) {
	for {
		var s standing
		if err := b.ask(ctx, "GET", "/grants/"+id, ownerToken, "", &s); err != nil {
			return s, err
		}
		if s.ReservedMicroUsd == 0 {
			return s, nil
		}
		if err := ctx.Err(); err != nil {
			return s, fmt.Errorf("money stays held: %+v", s)
		}
	}
}
