// Command sdk drives the built broker with the official SDKs of OpenAI, Anthropic and Google and with the AI SDK: it starts
// the broker with a fake provider behind it, runs the suites in go/ and js/, checks what the provider got and what it cost,
// and writes docs/reference/sdks.md from what was seen. It may look at the broker only from outside.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// patience is how long all suites may take together, with what they must build first.
const patience = 10 * time.Minute

func main() {
	var o options
	flag.StringVar(&o.binary, "broker", "bin/aipassport", "the broker to drive")
	flag.StringVar(&o.page, "page", "docs/reference/sdks.md", "the page that tells what works")
	flag.BoolVar(&o.write, "write", false, "write the page, and do not only compare it")
	flag.StringVar(&o.only, "only", "", "go or js: one of the suites; then there is no page")
	flag.StringVar(&o.match, "run", "", "only cells whose name fits; then there is no page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "sdk:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, page, only, match string
	write                     bool
}

func run(ctx context.Context, o options) error {
	b, err := startBroker(ctx, o.binary)
	if err != nil {
		return err
	}
	defer b.stop()
	l := newLab(b)
	origin, stop, err := l.start()
	if err != nil {
		return err
	}
	defer stop()
	var failed []string
	for _, s := range suites {
		if o.only != "" && o.only != s.name {
			continue
		}
		began := time.Now()
		if err := s.run(ctx, origin, o.match); err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", s.name, err))
		}
		fmt.Printf("suite %s: %.1f s\n", s.name, time.Since(began).Seconds())
	}
	if leaks := b.leaks(); leaks != nil {
		failed = append(failed, leaks...)
	}
	if failed == nil && o.only == "" && o.match == "" {
		if err := page(o, l.seen()); err != nil {
			failed = append(failed, err.Error())
		}
	}
	if failed != nil {
		return fmt.Errorf("%d problems:\n%s\nthe broker's log ends with:\n%s", len(failed), joinLines(failed), b.tail(2000))
	}
	return nil
}

// page writes the page, or says that the one in the tree tells something else.
func page(o options, rows []row) error {
	made, err := render(rows)
	if err != nil {
		return err
	}
	if o.write {
		return os.WriteFile(o.page, made, 0o644)
	}
	kept, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept, made) {
		return fmt.Errorf("%s does not tell what was seen: run make sdk SDK=-write and commit it", o.page)
	}
	return nil
}

// suite is a set of SDKs with what runs it.
type suite struct {
	name, dir string
	command   []string
	filter    string // in front of what narrows a run
}

var suites = []suite{
	{"go", "e2e/sdk/go", []string{"go", "test", "-count=1", "-timeout=5m", "."}, "-run="},
	{"js", "e2e/sdk/js", []string{"node", "--test", "--test-reporter=dot", "--test-timeout=60000"}, "--test-name-pattern="},
}

// run runs a suite, which finds the lab by SDK_LAB.
func (s suite) run(ctx context.Context, lab, match string) error {
	args := slices.Clone(s.command[1:])
	if match != "" {
		args = append(args, s.filter+match)
	}
	cmd := exec.CommandContext(ctx, s.command[0], args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "SDK_LAB="+lab)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
