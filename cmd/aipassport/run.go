package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of a run.
const (
	lookEvery  = time.Second     // while a person decides
	settleTime = 5 * time.Second // for what the last calls cost
	settleLook = 100 * time.Millisecond
)

// exit is the exit code of a command that was run.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

type runCmd struct {
	remote
	App       string        `placeholder:"NAME" help:"What the person is asked for (default: the command's name)."`
	Provider  []string      `default:"openai" help:"Providers that it may use; several, or a list with commas."`
	Model     []string      `help:"Models that it may use, of several providers as provider/model (default: any that has a price)."`
	Can       []string      `default:"chat" help:"What it may do: chat, embeddings, images, audio, code, search."`
	Budget    string        `default:"1.00" placeholder:"USD" help:"The most that it may spend, in dollars; of several providers each gets an equal part."`
	For       time.Duration `default:"1h" help:"How long it may."`
	Calls     int64         `placeholder:"N" help:"The most calls, for each provider (default: the owner's)."`
	Yes       bool          `help:"Approve as the owner, without a page: with AIPASSPORT_OWNER_TOKEN, or the broker's database on this machine."`
	Wait      time.Duration `default:"10m" help:"How long to wait for an answer on the page."`
	NoBrowser bool          `help:"Only print the page's address."`
	Cmd       []string      `arg:"" passthrough:"" help:"The command and its arguments, after --."`
}

// grantShown is a grant as the broker shows it to its app.
type grantShown struct {
	ID, Status                        string
	UsageCount                        int64
	SettledMicroUsd, ReservedMicroUsd passport.Money
	ExpiresAt                         time.Time
	AuthorizationDetails              []struct{ MaxBudgetCents int64 }
}

// access is a grant that was made for a run.
type access struct {
	broker *url.URL
	app    asks // with the grant's secret
	grant  grantShown
	secret string
	page   string // where a person decides
	key    string // an SDK key, or a token
}

// Run gets a grant, runs the command with it in the foreground, and gives the grant back, however the command ends. The exit code is the
// command's, 128 and the signal's number where a signal ended it.
func (c *runCmd) Run(ctx context.Context) error {
	if len(c.Cmd) > 0 && c.Cmd[0] == "--" {
		c.Cmd = c.Cmd[1:]
	}
	if len(c.Cmd) == 0 {
		return errors.New("which command? aipassport run -- CMD args")
	}
	program, err := exec.LookPath(c.Cmd[0]) // before anybody is asked
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	a, err := c.request(ctx)
	if err != nil {
		return err
	}
	defer a.giveBack()
	if c.Yes {
		err = c.approve(ctx, a)
	} else {
		err = c.wait(ctx, a)
	}
	if err != nil {
		return err
	}
	return foreground(ctx, program, c.Cmd, childEnv(os.Environ(), a.broker, a.key))
}

// request asks for the grant, as any app does.
func (c *runCmd) request(ctx context.Context) (*access, error) {
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	details, err := c.details()
	if err != nil {
		return nil, err
	}
	name := c.App
	if name == "" {
		name = filepath.Base(c.Cmd[0])
	}
	var got struct {
		Grant                   grantShown
		GrantSecret, ConsentURL string
	}
	// The arguments are not told: they may hold secrets.
	in := map[string]any{"appName": name, "appUrl": "http://localhost", "authorizationDetails": details,
		"reason": "Started on a command line by aipassport run. Its access ends when it ends."}
	if err := (asks{base: base}).ask(ctx, "POST", "/grant-requests", in, &got); err != nil {
		return nil, err
	}
	return &access{broker: base, app: asks{base, got.GrantSecret}, grant: got.Grant, secret: got.GrantSecret, page: got.ConsentURL}, nil
}

// details are what is asked for: one for each provider, the budget in equal parts.
func (c *runCmd) details() (out []map[string]any, err error) {
	budget, err := centsOf(c.Budget)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--budget: %w", err)
	case c.For < time.Second || c.For > passport.MaxLifetime:
		return nil, fmt.Errorf("--for: %s is not between a second and a year", c.For)
	case c.Wait < time.Second:
		return nil, fmt.Errorf("--wait: %s is not a second or more", c.Wait)
	case c.Calls < 0:
		return nil, fmt.Errorf("--calls: %d is below 0", c.Calls)
	case len(c.Provider) == 0:
		return nil, errors.New("--provider: names none")
	}
	models := map[string][]string{}
	for _, m := range c.Model {
		p, name, named := strings.Cut(m, "/")
		if !named || !slices.Contains(c.Provider, p) {
			if len(c.Provider) > 1 {
				return nil, fmt.Errorf("--model: %q does not say of which provider it is: write provider/model", m)
			}
			p, name = c.Provider[0], m
		}
		models[p] = append(models[p], name)
	}
	for _, p := range c.Provider {
		d := map[string]any{"type": passport.DetailType, "provider": p, "models": append([]string{}, models[p]...), "capabilities": c.Can,
			"maxBudgetCents": budget / int64(len(c.Provider))}
		if c.Calls > 0 {
			d["maxRequests"] = c.Calls
		}
		if !c.Yes { // the page has its own end; this is the latest
			d["expiresAt"] = now().Add(c.Wait + c.For).Unix()
		}
		out = append(out, d)
	}
	return out, nil
}

// centsOf reads dollars with at most two decimals.
func centsOf(text string) (int64, error) {
	whole, part, _ := strings.Cut(strings.TrimPrefix(text, "$"), ".")
	bad := fmt.Errorf("%q is not an amount in dollars like 2 or 2.50", text)
	if len(whole) == 0 || len(whole) > 9 || len(part) > 2 || strings.Trim(whole+part, "0123456789") != "" {
		return 0, bad
	}
	var n int64
	for _, r := range whole + (part + "00")[:2] {
		n = n*10 + int64(r-'0')
	}
	return n, nil
}

// approve approves as the owner and makes an SDK key, which lives as long as the grant.
func (c *runCmd) approve(ctx context.Context, a *access) error {
	bearer, err := c.owner(ctx, "aipassport run")
	if err != nil {
		return fmt.Errorf("--yes: %w", err)
	}
	owner := asks{a.broker, bearer}
	path := "/grants/" + url.PathEscape(a.grant.ID)
	if err := owner.ask(ctx, "POST", path+"/approve", map[string]any{"expiresInSeconds": int64(c.For / time.Second)}, &a.grant); err != nil {
		return err
	}
	var k keyShown
	err = owner.ask(ctx, "POST", path+"/keys", map[string]any{"name": "aipassport run"}, &k)
	a.key = k.Key
	return err
}

// wait opens the page, waits until a person has decided, and gets a token: only the owner may make keys.
func (c *runCmd) wait(ctx context.Context, a *access) error {
	fmt.Fprintf(os.Stderr, "aipassport: waiting for an answer at\n\n  %s\n\n", a.page)
	if !c.NoBrowser {
		openBrowser(a.page)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Wait, fmt.Errorf("nobody answered within %s", c.Wait))
	defer cancel()
	for a.grant.Status == passport.GrantPending.Wire() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
		if err := a.look(ctx); err != nil {
			return err
		}
	}
	if a.grant.Status != passport.GrantActive.Wire() {
		return fmt.Errorf("the request was answered: %s", a.grant.Status)
	}
	var t struct {
		Token     string
		ExpiresAt time.Time
	}
	if err := (asks{base: a.broker}).ask(ctx, "POST", "/tokens", map[string]any{"grantId": a.grant.ID, "grantSecret": a.secret}, &t); err != nil {
		return err
	}
	if t.ExpiresAt.Before(a.grant.ExpiresAt.Add(-time.Minute)) {
		fmt.Fprintf(os.Stderr, "aipassport: the command has a token, which ends %s, before its grant. With --yes it has a key that lasts.\n", moment(t.ExpiresAt))
	}
	a.key = t.Token
	return nil
}

func (a *access) look(ctx context.Context) error {
	return a.app.ask(ctx, "GET", "/grants/"+url.PathEscape(a.grant.ID), nil, &a.grant)
}

// giveBack ends the grant and says what was spent. If it cannot, the grant ends by itself.
func (a *access) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	asked := a.key == ""
	if err := a.app.ask(ctx, "POST", "/grants/"+url.PathEscape(a.grant.ID)+"/revoke", nil, &a.grant); err != nil {
		fmt.Fprintf(os.Stderr, "aipassport: the access was not given back, and ends %s: %v\n", moment(a.grant.ExpiresAt), err)
		return
	}
	if asked { // nothing was run
		return
	}
	for range int(settleTime / settleLook) {
		if a.grant.ReservedMicroUsd == 0 {
			break
		}
		time.Sleep(settleLook)
		if a.look(ctx) != nil {
			break
		}
	}
	var most passport.Money
	for _, d := range a.grant.AuthorizationDetails {
		most += passport.Money(d.MaxBudgetCents) * passport.Cent
	}
	g := a.grant
	fmt.Fprintf(os.Stderr, "aipassport: %s, %s spent, %s of %s never spent. The access has ended.\n",
		web.Count(g.UsageCount, "call", "calls"), web.USD(g.SettledMicroUsd+g.ReservedMicroUsd), web.USDLeft(most-g.SettledMicroUsd-g.ReservedMicroUsd), web.USD(most))
}
