package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// notInherited are variables that the command does not get from us, besides those of provider keys and our own settings: they would lead
// an SDK around the broker, or say whose account the owner's key is of. The Anthropic SDKs send ANTHROPIC_AUTH_TOKEN beside or in place
// of the key (docs.anthropic.com/en/docs/claude-code/llm-gateway).
var notInherited = []string{
	"OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_WEBSOCKET_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY",
	"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX",
	"GOOGLE_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI",
	"JWT_SECRET", "TOKEN_TTL_SECONDS",
}

// childEnv is the environment of the command: ours without what is not for it, and the variables of the SDKs. All of them are set,
// also those of providers that were not granted: the command hears 403 from the broker then, and finds no other key.
func childEnv(ours []string, broker *url.URL, key string) []string {
	out := slices.DeleteFunc(slices.Clone(ours), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(notInherited, name) || slices.Contains(providerKeyNames, name) || strings.HasPrefix(name, "AIPASSPORT_")
	})
	return append(out,
		"OPENAI_BASE_URL="+broker.JoinPath("v1").String(), "OPENAI_API_KEY="+key,
		"ANTHROPIC_BASE_URL="+broker.JoinPath("anthropic").String(), "ANTHROPIC_API_KEY="+key,
		"GOOGLE_GEMINI_BASE_URL="+broker.JoinPath("google").String(), "GOOGLE_API_KEY="+key, "GEMINI_API_KEY="+key)
}

// passedOn are the signals that the command gets from us.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// foreground runs a command with our input and outputs and returns how it ended, as exit.
func foreground(ctx context.Context, program string, args, env []string) error {
	cmd := exec.Command(program, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...) // before it starts: from here on a signal is the command's
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return exit(128 + int(syscall.SIGINT)) // it came before
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				cmd.Process.Signal(s)
			}
		case err := <-ended:
			return exitOf(cmd, err)
		}
	}
}

// fromTerminal says whether the terminal has sent a signal to the command already: it does so to all that run in its foreground.
func fromTerminal(s os.Signal) bool {
	if s != os.Interrupt && s != syscall.SIGQUIT {
		return false
	}
	in, err := os.Stdin.Stat()
	if err != nil || in.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(in, null)
}

func exitOf(cmd *exec.Cmd, err error) error {
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return fmt.Errorf("run: %w", err)
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exit(128 + int(s.Signal()))
	}
	return exit(cmd.ProcessState.ExitCode())
}

// openBrowser tries to show a page. Where it cannot, the person has the address.
func openBrowser(page string) {
	name := map[string]string{"darwin": "open", "windows": "explorer"}[runtime.GOOS]
	if name == "" {
		name = "xdg-open"
	}
	cmd := exec.Command(name, page)
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}
