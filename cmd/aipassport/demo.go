package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

type demoCmd struct {
	Yes  bool   `help:"Approve for you instead of waiting for you on the consent page."`
	Exit bool   `help:"End when the story is told, instead of leaving the broker up."`
	Port string `env:"PORT" default:"3001" help:"Port on 127.0.0.1; 0 takes a free one."`

	NoBrowser bool `help:"Only print the address of the app to try, repo-mood."`
}

const sandboxModel = "sandbox-small"

// errOver ends the story early, without anything having gone wrong.
var errOver = errors.New("the demo is over")

// Run starts a sandbox provider and a broker on this machine, with a data directory that goes when it ends, and plays the
// app that asks. Everything the app does goes over HTTP, as any app's calls would.
func (c *demoCmd) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if _, err := strconv.ParseUint(c.Port, 10, 16); err != nil {
		return fmt.Errorf("PORT: %q is not a whole number from 0 to 65535", c.Port)
	}
	dir, err := os.MkdirTemp("", "aipassport-demo-")
	if err != nil {
		return fmt.Errorf("make a place for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	key := "sandbox-" + rand.Text()
	origin, stopSandbox, err := fakeprovider.Serve(fakeprovider.Handler(fakeprovider.Options{Name: "sandbox", Key: key, Delay: 60 * time.Millisecond, Words: 60, Answer: sandboxMood}))
	if err != nil {
		return err
	}
	defer stopSandbox()
	b, ownerToken, err := c.open(ctx, dir, origin, key)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- b.serve(ctx); stop() }()
	defer func() { stop(); <-served; b.close() }()

	s := &story{ctx: ctx, out: os.Stdout, base: "http://" + b.listener.Addr().String(), public: b.public.String(), owner: ownerToken, yes: c.Yes}
	s.setup, _ = b.identity.SetupLink()
	err = s.tell()
	if err != nil && (ctx.Err() != nil || errors.Is(err, errOver)) {
		return nil // Ctrl-C in the middle, or the person said no
	}
	if err != nil || c.Exit {
		return err
	}
	s.say("\nThe broker stays up: %s\nIts data goes when you press Ctrl-C.\n", b.public)
	if s.setup != "" && c.Yes {
		s.say("To look around in the browser, become its owner first:\n  %s\n", s.setup)
	}
	return c.showMood(ctx, s)
}

// open wires a broker whose only provider is the sandbox.
func (c *demoCmd) open(ctx context.Context, dir, origin, key string) (*broker, string, error) {
	owner := "demo-" + rand.Text()
	u, err := url.Parse(origin + "/v1")
	if err != nil {
		return nil, "", err
	}
	cfg := config{
		listen: "127.0.0.1:" + c.Port, data: filepath.Join(dir, "data"), kekFile: filepath.Join(dir, "kek"), ownerToken: secret.New(owner),
		freshAbove: 2000 * passport.Cent, // as where nothing is set
		tokenTTL:   time.Hour, bases: map[passport.Provider]*url.URL{passport.Sandbox: u}, sandbox: true,
		requestsPerMinute: 30, headerTimeout: time.Minute, idleTimeout: time.Minute, readHeaderTimeout: 10 * time.Second,
		bodyTimeout: time.Minute, drain: time.Second, maxBody: 1 << 20,
	}
	b, err := open(ctx, cfg, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	if err != nil {
		return nil, "", err
	}
	if _, err := b.vault.Add(ctx, passport.OwnerPays, passport.Sandbox, "demo", secret.New(key), "operator"); err != nil {
		b.close()
		return nil, "", fmt.Errorf("put the sandbox's key in: %w", err)
	}
	return b, owner, nil
}

// sandboxTariff is a price like a small model's, so that the story has numbers to tell. Nobody is billed.
func sandboxTariff(t *meter.Tariff) *meter.Tariff {
	return t.With(meter.ModelPrice{
		Provider: passport.Sandbox, Model: sandboxModel, Input: 2_000_000, CacheRead: 2_000_000, CacheWrite: 2_000_000, CacheWrite1h: 2_000_000,
		Output: 10_000_000, Context: 16_000, MaxOutput: 1_000,
	})
}

// story is the app's side of the demo, and the owner's where --yes decides for the person.
type story struct {
	ctx                  context.Context
	out                  io.Writer
	base, public         string // where the broker is, and how it calls itself
	setup, owner         string
	yes                  bool
	grant, secret, token string
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// tell is the whole story, in order.
func (s *story) tell() error {
	s.say("AIPassport demo. All of it runs on this machine: a broker, an app, and a sandbox provider\n(built in, clearly no AI, sends no bill). The broker is at %s\n\n", s.public)
	for _, step := range []func() error{s.ask, s.consent, s.getToken, s.stream, s.revokeInMidStream, s.callAgain} {
		if err := step(); err != nil {
			return err
		}
	}
	s.say("\nThat is the whole idea: the app never saw a key, never passed its cap, and was cut off at once.\n")
	return nil
}

func (s *story) ask() error {
	s.say("1. An app asks: \"Demo Notes\" would like to chat with %s, for at most $0.05 and 20 calls.\n", sandboxModel)
	var r struct {
		Grant                   struct{ ID string }
		GrantSecret, ConsentURL string
	}
	err := s.json("POST", "/grant-requests", "", map[string]any{
		"appName": "Demo Notes", "appUrl": "https://notes.example", "reason": "To show you what it is like",
		"scope": map[string]any{"provider": "sandbox", "models": []string{sandboxModel}, "capabilities": []string{"chat"},
			"maxBudgetCents": 5, "maxRequests": 20, "rateLimit": 30},
	}, &r)
	s.grant, s.secret = r.Grant.ID, r.GrantSecret
	s.say("   It gets a link for you to decide: %s\n\n", r.ConsentURL)
	return err
}

func (s *story) consent() error {
	if s.yes {
		s.say("2. You approve (--yes does it for you here; without it, you decide on the page).\n\n")
		return s.json("POST", "/grants/"+s.grant+"/approve", s.owner, map[string]any{"expiresInSeconds": 3600}, nil)
	}
	s.say("2. Now you decide. Become the owner of this broker, then open the link above:\n     %s\n   Waiting for your answer (Ctrl-C ends the demo)...\n", s.setup)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		var g struct{ Status string }
		if err := s.json("GET", "/grants/"+s.grant, s.secret, nil, &g); err != nil {
			return err
		}
		switch g.Status {
		case "pending":
		case "approved":
			s.say("   You approved.\n\n")
			return nil
		default:
			s.say("   You answered %q: the app gets nothing, and the demo ends here.\n", g.Status)
			return errOver
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

func (s *story) getToken() error {
	var r struct{ Token, ExpiresAt string }
	err := s.json("POST", "/tokens", "", map[string]string{"grantId": s.grant, "grantSecret": s.secret}, &r)
	s.token = r.Token
	s.say("3. The app gets a token: signed, good until %s, and no provider key in it.\n   %.40s...\n\n", r.ExpiresAt, r.Token)
	return err
}

func (s *story) stream() error {
	s.say("4. It uses the token as if it were an OpenAI key, with a stream:\n   > ")
	if err := s.chat(func(int) bool { return true }); err != nil {
		return err
	}
	s.say("\n")
	return s.standing()
}

// standing shows what the grant has used of what was given, which may be less than was asked.
func (s *story) standing() error {
	var g struct {
		SettledMicroUsd, ReservedMicroUsd, UsageCount int64
		Scope                                         struct{ MaxBudgetCents, MaxRequests int64 }
	}
	if err := s.json("GET", "/grants/"+s.grant, s.secret, nil, &g); err != nil {
		return err
	}
	most := passport.Money(g.Scope.MaxBudgetCents) * passport.Cent
	left := most - passport.Money(g.SettledMicroUsd+g.ReservedMicroUsd)
	s.say("   Spent %s of %s, %s left, %d of %d calls.\n\n", passport.Money(g.SettledMicroUsd), most, left, g.UsageCount, g.Scope.MaxRequests)
	return nil
}

func (s *story) revokeInMidStream() error {
	s.say("5. It starts another stream, and in the middle of it you revoke:\n   > ")
	var revoked time.Time
	err := s.chat(func(n int) bool {
		if n != 10 {
			return true
		}
		revoked = time.Now()
		if err := s.json("POST", "/grants/"+s.grant+"/revoke", s.owner, nil, nil); err != nil {
			s.say("\n   revoke: %v", err)
			return false
		}
		s.say("[revoked] ")
		return true
	})
	if revoked.IsZero() && err != nil {
		s.say("\n")
		return fmt.Errorf("this call was refused, and the demo ends here: %w", err)
	}
	if revoked.IsZero() {
		return errors.New("the stream ended before it could be revoked")
	}
	s.say("\n   The stream ended %d ms after the revoke: %v\n", time.Since(revoked).Milliseconds(), err)
	return s.standing()
}

func (s *story) callAgain() error {
	s.say("6. It tries once more:\n")
	err := s.chat(func(int) bool { return true })
	if err == nil {
		return errors.New("a revoked token was served: this must never happen")
	}
	s.say("   %v\n", err)
	return nil
}

// chat streams one answer and prints it; each is told how many pieces came and says whether to go on.
func (s *story) chat(each func(n int) bool) error {
	res, err := s.send("POST", "/v1/chat/completions", s.token, map[string]any{
		"model": sandboxModel, "stream": true, "max_completion_tokens": 200,
		"messages": []map[string]string{{"role": "user", "content": "Hello! Who are you?"}}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refused(res)
	}
	lines := bufio.NewScanner(res.Body)
	for n := 0; lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var ev struct {
			Choices []struct{ Delta struct{ Content string } }
			Error   struct{ Message string }
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if ev.Error.Message != "" {
			return errors.New(ev.Error.Message)
		}
		for _, c := range ev.Choices {
			s.say("%s", c.Delta.Content)
		}
		if n++; !each(n) {
			break
		}
	}
	return lines.Err()
}

func (s *story) send(method, path, bearer string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(s.ctx, method, s.base+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return (&http.Client{}).Do(req)
}

func (s *story) json(method, path, bearer string, body, into any) error {
	res, err := s.send(method, path, bearer, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode > 299 {
		return refused(res)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func refused(res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
	return fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(b))
}
