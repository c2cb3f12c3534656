package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/devrelopers/aipassport/connect"
)

type connectCmd struct {
	Broker      string        `env:"AIPASSPORT_BROKER_URL" placeholder:"URL" help:"Where the broker is (default: as for other commands)."`
	Listen      string        `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where SDKs find it: loopback only. With a port of its own, programs can be set up once."`
	Name        string        `default:"default" placeholder:"NAME" help:"Keeps what several sidecars keep apart."`
	Provider    []string      `default:"openai" help:"Providers that it may use; several, or a list with commas."`
	Model       []string      `help:"Models that it may use, of several providers as provider/model (default: any that has a price)."`
	Can         []string      `default:"chat" help:"What it may do: chat, embeddings, images, audio, code, search."`
	Budget      string        `default:"1.00" placeholder:"USD" help:"The most that it may spend, in dollars; of several providers each gets an equal part."`
	For         time.Duration `placeholder:"SPAN" help:"How long it may (default: the owner decides)."`
	Calls       int64         `placeholder:"N" help:"The most calls, for each provider (default: the owner's)."`
	Device      bool          `help:"Ask on another device: shows an address and a code, and needs no browser here."`
	NoBrowser   bool          `help:"Only print the page's address."`
	Wait        time.Duration `default:"10m" help:"How long to wait for an answer on the page."`
	Ephemeral   bool          `help:"Keep nothing: the key and the access are gone when it ends."`
	Revoke      bool          `help:"End the access when it ends."`
	AllowOrigin []string      `placeholder:"ORIGIN" help:"Web pages that may call it, by their origin; they need the key too."`
	Cmd         []string      `arg:"" optional:"" passthrough:"" help:"A command to run with it, after --; it ends with the command."`
}

// Run listens, gets access, and serves until it is interrupted or its command ends.
func (c *connectCmd) Run(ctx context.Context) error {
	if len(c.Cmd) > 0 && c.Cmd[0] == "--" {
		c.Cmd = c.Cmd[1:]
	}
	program, err := c.program()
	if err != nil {
		return err
	}
	details, same, err := c.details()
	if err != nil {
		return err
	}
	base, err := remote{Broker: c.Broker}.base()
	if err != nil {
		return err
	}
	kept, err := c.kept(base)
	if err != nil {
		return err
	}
	defer kept.unlock()
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	side, err := connect.New(ctx, connect.Config{Broker: base, Listener: l, Kept: kept.last, Keeper: kept, Details: details, Same: same, Origins: c.AllowOrigin, Now: now,
		Open: c.open, Code: code, Say: func(text string) { fmt.Fprintln(os.Stderr, "aipassport: "+text) }})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // to the end of the command, which gets signals first
	served := make(chan error, 1)
	go func() { served <- side.Serve(serving) }()
	err = c.use(ctx, side, program)
	c.giveBack(side)
	stop()
	return errors.Join(err, <-served)
}

// program is the command's, looked up before anybody is asked; empty: there is none.
func (c *connectCmd) program() (string, error) {
	if len(c.Cmd) == 0 {
		return "", nil
	}
	p, err := exec.LookPath(c.Cmd[0])
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	return p, nil
}

// use gets access and lets the command, or whoever has the printed key, use it.
func (c *connectCmd) use(ctx context.Context, side *connect.Sidecar, program string) error {
	asking, cancel := context.WithTimeoutCause(ctx, c.Wait, fmt.Errorf("nobody answered within %s", c.Wait))
	err := side.SignIn(asking, c.Device)
	cancel()
	if err != nil {
		return err
	}
	if program != "" {
		return foreground(ctx, program, c.Cmd, childEnv(os.Environ(), side.Base(), side.Key()))
	}
	for _, kv := range childEnv(nil, side.Base(), side.Key()) {
		fmt.Println("export " + kv)
	}
	fmt.Fprintln(os.Stderr, "aipassport: connected. The lines above set SDKs up; the key is for this computer alone. Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}

// giveBack ends the access where that was wanted, or where nothing of it is kept. That it could not is said, and does not hide how the
// command ended.
func (c *connectCmd) giveBack(side *connect.Sidecar) {
	if !c.Revoke && !c.Ephemeral {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	if err := side.End(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "aipassport: the access was not ended: %v. End it on the broker's pages.\n", err)
		return
	}
	fmt.Fprintln(os.Stderr, "aipassport: the access has ended.")
}

func (c *connectCmd) open(page string) {
	fmt.Fprintf(os.Stderr, "aipassport: waiting for an answer at\n\n  %s\n\n", page)
	if !c.NoBrowser {
		openBrowser(page)
	}
}

func code(at, code string) {
	fmt.Fprintf(os.Stderr, "aipassport: on any device open\n\n  %s\n\nand type the code %s\n\n", at, code)
}

// details are what is asked for, as run asks for it (RFC 9396), and what stays the same from run to run: not the time when it ends.
func (c *connectCmd) details() (details, same string, err error) {
	life := c.For
	if life == 0 {
		life = time.Hour // not sent
	}
	list, err := (&runCmd{Provider: c.Provider, Model: c.Model, Can: c.Can, Budget: c.Budget, For: life, Calls: c.Calls, Wait: c.Wait, Yes: true}).details()
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(list)
	if err != nil || c.For == 0 {
		return string(b), string(b), err
	}
	for _, d := range list {
		d["expiresAt"] = now().Add(c.Wait + c.For).Unix()
	}
	until, err := json.Marshal(list)
	return string(until), string(b) + c.For.String(), err
}

// listen refuses what others on the network reach.
func (c *connectCmd) listen(ctx context.Context) (net.Listener, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("--listen: %q is not a loopback address with a port, like 127.0.0.1:4141", c.Listen)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	return l, nil
}

// keptAccess keeps what a sidecar remembers: the DPoP key and the refresh token that is bound to it, in one file of the user alone. One
// sidecar has it at a time, because a refresh token works once.
type keptAccess struct {
	file string // empty: nothing is kept
	last connect.Kept
	lock *os.File // nil: nothing is kept
}

// kept finds what the last run with the same name kept for a broker.
func (c *connectCmd) kept(base *url.URL) (*keptAccess, error) {
	if c.Ephemeral {
		return &keptAccess{}, nil
	}
	dir, err := configDir()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(base.String() + "\x00" + c.Name))
	at := filepath.Join(dir, "connect", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, err
	}
	k := &keptAccess{file: filepath.Join(at, "access.json")}
	if k.lock, err = lockAlone(at); err != nil {
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("a sidecar named %q runs already for %s: --name gives this one another", c.Name, base)
		}
		return nil, err
	}
	if err := readPrivate(k.file, &k.last); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.unlock()
		return nil, err
	}
	return k, nil
}

// Keep implements connect.Keeper.
func (k *keptAccess) Keep(v connect.Kept) error {
	if k.file == "" {
		return nil
	}
	return writePrivate(k.file, v)
}

func (k *keptAccess) unlock() {
	if k.lock != nil {
		k.lock.Close()
	}
}
