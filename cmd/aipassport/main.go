// Command aipassport is the broker: it reads flags, environment and files, wires the parts, runs and stops. No rule lives here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker (-X main.version=...).
var version = "0.1.0-dev"

// commands is the command line. Settings are documented in config.go.
type commands struct {
	Config  string           `help:"File with settings, one NAME=value a line, names as in the environment." env:"AIPASSPORT_CONFIG" placeholder:"FILE" type:"path"`
	Version kong.VersionFlag `help:"Print the version."`

	Serve   serveCmd   `cmd:"" default:"withargs" help:"Run the broker; the default."`
	Demo    demoCmd    `cmd:"" help:"Tell the whole story on this machine with a built-in sandbox provider: no key, no bill."`
	Owner   ownerCmd   `cmd:"" help:"The owner: a forgotten password."`
	Token   tokenCmd   `cmd:"" help:"Bearers of the owner, for automation."`
	Login   loginCmd   `cmd:"" help:"Sign this command line in as the owner, here or at a broker elsewhere, by the browser."`
	Logout  logoutCmd  `cmd:"" help:"Sign this command line out."`
	Key     keyCmd     `cmd:"" help:"Keys for the providers' SDKs."`
	Run     runCmd     `cmd:"" help:"Run a command with AI access of its own: a grant that ends with it."`
	Connect connectCmd `cmd:"" help:"Give every SDK on this computer AI access that is bound to a key of its own: a listener on loopback."`
	Ledger  ledgerCmd  `cmd:"" help:"The ledger."`
	Check   configCmd  `cmd:"" name:"config" help:"Settings."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if code, ok := errors.AsType[exit](err); ok {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "aipassport: "+err.Error())
		os.Exit(1)
	}
}

// run parses and runs one command. What is wrong with a setting is said in one line that names it.
func run(ctx context.Context, args []string) error {
	if err := applyFile(args, os.Getenv("AIPASSPORT_CONFIG")); err != nil {
		return err
	}
	dropBlank()
	var c commands
	p, err := kong.New(&c, kong.Name("aipassport"), kong.Description(about), kong.Vars{"version": version},
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return fmt.Errorf("build the command line: %w", err)
	}
	k, err := p.Parse(args)
	if err != nil {
		return errors.New(err.Error() + " (aipassport --help lists what there is)")
	}
	return k.Run()
}

const about = `AIPassport lets a person give apps AI access without giving away an API key.

It keeps your provider keys, asks you what an app may do and spend, gives the app a short-lived token, and holds the money
before every call. Provider keys come from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY and their usual
aliases) or are added in the browser. aipassport serve --help lists every setting.`
