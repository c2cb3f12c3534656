package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// database is the name of the file that all state is in.
const database = "aipassport.db"

type serveCmd struct {
	settings
}

// Run serves until it is told to stop. The log is JSON on stderr, one record a line.
func (c *serveCmd) Run(ctx context.Context) error {
	cfg, err := c.settings.parse()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	b, err := open(ctx, cfg, environment(), log)
	if err != nil {
		return err
	}
	defer b.close()
	cfg.place().makeRoom()
	log.Info("listening", "addr", b.listener.Addr().String(), "url", b.public.String(), "version", version, "data", cfg.place().String(), "tariff", b.prices.Now().Version())
	if link, ok := b.identity.SetupLink(); ok {
		fmt.Fprintf(os.Stderr, "\nNobody owns this broker yet. Open this link once to become its owner:\n\n  %s\n\n", link)
	}
	return b.serve(ctx)
}

// serve runs until ctx ends, then drains: no new connections, running calls have until the drain timeout, then they are cut
// and charged as cut calls are.
func (b *broker) serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- b.server.Serve(b.listener) }()
	done := make(chan struct{})
	go b.housekeeping(ctx, done)
	telling := make(chan struct{})
	go func() { defer close(telling); b.webhook.Run(ctx) }()
	defer func() { <-telling }()
	defer func() { <-done }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	if err := b.profiled(); err != nil {
		b.log.Error("AIPASSPORT_PROFILE", "error", err.Error())
	}
	b.log.Info("draining", "calls", b.board.LiveAll(), "timeout", b.cfg.drain.String())
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.drain)
	defer cancel()
	if err := b.server.Shutdown(drain); err != nil {
		n := b.board.EndAll(problem.New(problem.Unavailable, "the broker is shutting down"))
		b.log.Warn("drain timeout", "cut", n)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		b.server.Shutdown(grace)
		b.server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	b.log.Info("stopped")
	return nil
}

// housekeeping rotates signing keys when they are due, forgets old Idempotency-Keys and answers, and each minute, and at the end, notes
// which SDK keys were used. At once and each minute it looks at what grants spend, and each minute it forgets old proofs. At once and each
// hour it forgets what ended and nothing reads any more.
func (b *broker) housekeeping(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { b.looks(ctx) })
	b.forget(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
			b.writeUses(ctx)
			if _, err := b.tokens.SweepSeen(ctx); err != nil {
				b.log.Error("forget old proofs", "error", err.Error())
			}
		case <-tick.C:
			if err := b.tokens.RotateIfDue(ctx); err != nil {
				b.log.Error("rotate signing keys", "error", err.Error())
			}
			if _, err := b.repeats.Sweep(ctx); err != nil {
				b.log.Error("forget old idempotency keys", "error", err.Error())
			}
			b.forget(ctx)
		}
	}
}

// looks looks at what grants spend, each minute. Where many did, that takes longer than what else is done each minute may wait.
func (b *broker) looks(ctx context.Context) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for b.look(ctx); ; b.look(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
		}
	}
}

// look looks once. What fails is found by the next look.
func (b *broker) look(ctx context.Context) {
	if err := b.lookout.Look(ctx); err != nil && ctx.Err() == nil {
		b.log.Error("look at what apps spend", "error", err.Error())
	}
}

// forget forgets what ended. What fails is forgotten an hour later.
func (b *broker) forget(ctx context.Context) {
	n, err := b.store.Forget(ctx, now())
	if err != nil && ctx.Err() == nil {
		b.log.Error("forget what ended", "error", err.Error())
	}
	if n > 0 {
		b.log.Info("forgot what ended", "rows", n)
	}
}

func (b *broker) writeUses(ctx context.Context) {
	if err := b.tokens.WriteUses(ctx); err != nil {
		b.log.Warn("note which SDK keys were used", "error", err.Error())
	}
}

// listen opens the port, or says in one line why it cannot.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("AIPASSPORT_LISTEN: %s is taken by another program (set PORT or AIPASSPORT_LISTEN)", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("AIPASSPORT_LISTEN: no permission to listen on %s", addr)
	default:
		return nil, fmt.Errorf("AIPASSPORT_LISTEN: listen on %s: %w", addr, err)
	}
}

// makeData makes the data directory, readable by its owner alone, and tries that it can be written. One that is there and
// that others can read is closed to them; one that others can write to, like /tmp, stays as it is and is refused.
func makeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: %w", err)
	}
	if err := closeToOthers(dir); err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: %w", err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("AIPASSPORT_DATA: %s cannot be written: %w", dir, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

func closeToOthers(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if info.Mode()&os.ModeSticky != 0 || info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%s is a place that others write to: name a directory of its own", dir)
	}
	return os.Chmod(dir, 0o700)
}

func environment() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return env
}
