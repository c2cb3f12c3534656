package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/passport"
)

type loginCmd struct {
	URL       string        `arg:"" optional:"" placeholder:"URL" help:"Where the broker is (default: as for other commands)."`
	Broker    string        `env:"AIPASSPORT_BROKER_URL" hidden:""`
	NoBrowser bool          `help:"Print the page's address and wait for the code that it shows: for a computer without a browser."`
	Wait      time.Duration `default:"10m" help:"How long to wait for an answer on the page."`
}

// Run signs this command line in as the owner. What leaves this process is a hash: the secret behind it is shown to the broker alone.
func (c *loginCmd) Run(ctx context.Context) error {
	base, err := remote{Broker: orText(c.URL, c.Broker)}.base()
	if err != nil {
		return err
	}
	kept, err := openKept()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Wait, fmt.Errorf("nobody answered within %s", c.Wait))
	defer cancel()
	verifier := randomText()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "name": {thisComputer()}, "port": {"0"}, "state": {randomText()}}
	code, err := c.code(ctx, base, q)
	if err != nil {
		return err
	}
	var got struct {
		Token, Label string
		ExpiresAt    time.Time
	}
	if err := (asks{base: base}).ask(ctx, "POST", "/login/cli/token", map[string]string{"code": code, "verifier": verifier}, &got); err != nil {
		return err
	}
	if err := kept.signIn(base.String(), got.Token, got.ExpiresAt); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Signed in to %s as its owner, until %s. To end it: aipassport logout\n", base, moment(got.ExpiresAt))
	return nil
}

// code is what the page gives: by the browser to a listener of ours (RFC 8252 §7.3), or carried by the person.
func (c *loginCmd) code(ctx context.Context, base *url.URL, q url.Values) (string, error) {
	if c.NoBrowser {
		c.say(base, q)
		fmt.Fprint(os.Stderr, "Code: ")
		return readCode(ctx)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("wait for the browser: %w", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	q.Set("port", port)
	back := make(chan url.Values, 1)
	s := http.Server{ReadHeaderTimeout: answerTime, MaxHeaderBytes: 16 << 10, Handler: awaited(l.Addr().String(), q.Get("state"), back)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), time.Second) // for the page that says so
		defer cancel()
		s.Shutdown(end)
		<-served
	}()
	openBrowser(c.say(base, q))
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case v := <-back:
		if e := v.Get("error"); e != "" {
			return "", errors.New("the request was answered: denied")
		}
		return v.Get("code"), nil
	}
}

func (c *loginCmd) say(base *url.URL, q url.Values) (page string) {
	u := *base
	u.Path, u.RawQuery = "/login/cli", q.Encode()
	fmt.Fprintf(os.Stderr, "aipassport: the page must show the letters %s\n\n  %s\n\n", identity.Compare(q.Get("challenge")), u.String())
	return u.String()
}

// awaited takes the one answer that has our state, and no other: whatever else a browser or a program sends here is nothing.
func awaited(host, state string, back chan<- url.Values) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/signed-in" || r.Host != host ||
			subtle.ConstantTimeCompare([]byte(v.Get("state")), []byte(state)) != 1 || (v.Get("code") == "") == (v.Get("error") == "") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		fmt.Fprintln(w, "The command line has the answer. You can close this page.")
		select {
		case back <- v:
		default: // it came before
		}
	}
}

// maxCode bounds a line that a person pastes, in bytes.
const maxCode = 4096

// readCode reads a line of our input. If the time is over first, the read ends with the process.
func readCode(ctx context.Context) (string, error) {
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		sc := bufio.NewScanner(os.Stdin)
		sc.Buffer(nil, maxCode)
		if !sc.Scan() {
			got <- read{err: orError(sc.Err(), errors.New("no code was given"))}
			return
		}
		got <- read{text: strings.TrimSpace(sc.Text())}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-got:
		return r.text, r.err
	}
}

type logoutCmd struct {
	URL string `arg:"" optional:"" placeholder:"URL" help:"Which broker (default: the last that was signed in to)."`
}

// Run ends the bearer at the broker, and then forgets it. If the broker cannot be reached it is kept, and that is said.
func (c *logoutCmd) Run(ctx context.Context) error {
	kept, err := openKept()
	if err != nil {
		return err
	}
	name := kept.Last
	if c.URL != "" {
		base, err := (remote{Broker: c.URL}).base()
		if err != nil {
			return err
		}
		name = base.String()
	}
	l, ok := kept.Logins[name]
	if !ok {
		return errors.New("not signed in to " + orText(name, "any broker"))
	}
	base, err := parsePublicURL(name)
	if err != nil {
		return err
	}
	id := passport.OwnerToken{Hash: sha256.Sum256([]byte(l.Bearer))}.ID()
	err = asks{base, l.Bearer}.ask(ctx, "POST", "/owner-tokens/"+id+"/revoke", nil, &struct{}{})
	if said, ok := errors.AsType[refusal](err); ok && (said.status == http.StatusUnauthorized || said.status == http.StatusNotFound) {
		err = nil // it has ended already
	}
	if err != nil {
		return fmt.Errorf("still signed in: %w", err)
	}
	if err := kept.signOut(name); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Signed out of "+name)
	return nil
}

// randomText is 256 bits.
func randomText() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// thisComputer is what the page calls this computer: a claim, which a person compares.
func thisComputer() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "unnamed"
	}
	r := []rune(strings.ToValidUTF8(name, "?"))
	return string(r[:min(60, len(r))])
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func orError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
