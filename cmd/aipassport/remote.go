package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Bounds of what commands take from a running broker.
const (
	answerTime = 30 * time.Second
	maxAnswer  = 4 << 20 // bytes
	brokerLife = 5 * time.Minute
)

// remote is how a command finds the running broker, and shows that it is the owner's.
type remote struct {
	Broker      string `env:"AIPASSPORT_BROKER_URL" placeholder:"URL" help:"Where the broker is (default: AIPASSPORT_PUBLIC_URL, else the one that was signed in to last, else http://localhost with PORT or 3001)."`
	OwnerToken  string `env:"AIPASSPORT_OWNER_TOKEN" placeholder:"TEXT" help:"Bearer of the owner. Without one, what aipassport login got is used; else a short-lived one is made in the broker's database, if that is on this machine."`
	Data        string `env:"AIPASSPORT_DATA" placeholder:"DIR" help:"Data directory of the broker (default: the user's data directory for aipassport)."`
	DatabaseURL string `env:"AIPASSPORT_DATABASE_URL" placeholder:"URL" help:"Database of the broker, if it keeps its state in Postgres."`
}

// base is the broker's address: https, unless it is on this machine, because keys go to and from there.
func (r remote) base() (*url.URL, error) {
	text := r.Broker
	if text == "" {
		text = os.Getenv("AIPASSPORT_PUBLIC_URL")
	}
	if text == "" && os.Getenv("PORT") == "" {
		k, err := openKept()
		if err != nil {
			return nil, err
		}
		text = k.Last
	}
	if text == "" {
		port := os.Getenv("PORT")
		if port == "" {
			port = "3001"
		}
		text = "http://localhost:" + port
	}
	u, err := parsePublicURL(text)
	if err != nil {
		return nil, fmt.Errorf("AIPASSPORT_BROKER_URL: %w", err)
	}
	return u, nil
}

// owner is the owner's bearer.
func (r remote) owner(ctx context.Context, label string) (string, error) {
	if r.OwnerToken != "" {
		return r.OwnerToken, nil
	}
	if bearer, err := r.signedIn(); bearer != "" || err != nil {
		return bearer, err
	}
	text, err := makeOwnerToken(ctx, r.Data, r.DatabaseURL, label, brokerLife)
	if err != nil {
		return "", fmt.Errorf("AIPASSPORT_OWNER_TOKEN: is not set, and %w", err)
	}
	return text, nil
}

// signedIn is the bearer of aipassport login for the broker; empty: there is none that works still.
func (r remote) signedIn() (string, error) {
	base, err := r.base()
	if err != nil {
		return "", err
	}
	k, err := openKept()
	if err != nil {
		return "", err
	}
	l := k.Logins[base.String()]
	if !now().Before(l.ExpiresAt) {
		return "", nil
	}
	return l.Bearer, nil
}

// asks is a broker's REST API, asked with one bearer.
type asks struct {
	base   *url.URL
	bearer string // empty: none
}

// ask sends in as JSON (nil: nothing) and reads the answer into out. The error says what the broker said.
func (a asks) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+a.bearer)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the broker at %s does not answer: %w", a.base, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the broker's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return said(res.StatusCode, text)
	}
	return json.Unmarshal(text, out)
}

// said is a refusal in the broker's words.
func said(status int, body []byte) error {
	var e struct {
		Error   string
		Details struct{ FieldErrors map[string][]string }
	}
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		return refusal{status, fmt.Sprintf("the broker answered %d, and not as a broker does", status)}
	}
	var more []string
	for name, texts := range e.Details.FieldErrors {
		more = append(more, name+": "+strings.Join(texts, ", "))
	}
	if len(more) > 0 {
		e.Error += " (" + strings.Join(more, "; ") + ")"
	}
	return refusal{status, "the broker says: " + e.Error}
}

// refusal is an answer that is not the one that was wanted.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }
