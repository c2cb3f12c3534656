// Command bench measures a built broker beside the least that a Go program can do in its place: an httputil.ReverseProxy that
// reads the request body and puts the provider's key in. Both stand before the same upstream, which answers at once, on loopback,
// and are loaded in turns, so that what else the machine does meets both. docs/performance.md says what is measured and why.
//
// It needs nothing but the broker's binary: it makes a data directory, asks for grants, approves them as the owner and gets
// tokens, all through the public API. Only the great number of grants is written into the database file, while no broker runs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// options are the sizes of a run.
type options struct {
	binary   string
	beside   string // another built broker in the proxy's place; empty: the proxy
	database string // AIPASSPORT_DATABASE_URL; empty: SQLite
	profile  string // AIPASSPORT_PROFILE of the loaded broker
	only     string // measurements to make; empty: all
	conns    string

	rounds  int
	window  time.Duration
	warm    time.Duration
	streams int // held at once
	grants  int // in the database, for the flat cost
	tokens  int // in turn, for the flat cost
	starts  int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "proxy" { // this program again, as the bare proxy
		exit(proxyMain(os.Args[2:]))
	}
	var o options
	long := flag.Bool("long", false, "the sizes that docs/performance.md quotes: about 15 minutes instead of 3")
	flag.StringVar(&o.binary, "aipassport", "bin/aipassport", "the built broker")
	flag.StringVar(&o.beside, "beside", "", "another built broker to measure against instead of the proxy: the one from before a change")
	flag.StringVar(&o.database, "database-url", "", "AIPASSPORT_DATABASE_URL of an empty database for the broker (default: SQLite); leaves out what needs the file")
	flag.StringVar(&o.profile, "profile", "", "directory for the profiles of the broker under load (AIPASSPORT_PROFILE)")
	flag.StringVar(&o.only, "only", "", "comma-separated measurements: calls, rate, streams, held, start, flat (default: all)")
	flag.StringVar(&o.conns, "conns", "1,16,64,256", "connections for calls")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each measurement")
	flag.DurationVar(&o.window, "window", time.Second, "measured time of one target in a round")
	flag.DurationVar(&o.warm, "warm", 300*time.Millisecond, "unmeasured time before it")
	flag.IntVar(&o.streams, "streams", 1000, "streams held at once")
	flag.IntVar(&o.grants, "grants", 100_000, "grants in the database, for the flat cost of a call")
	flag.IntVar(&o.tokens, "tokens", 10_000, "tokens in turn, for the flat cost of a call")
	flag.IntVar(&o.starts, "starts", 5, "starts measured")
	flag.Parse()
	if *long {
		given := map[string]bool{}
		flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{"rounds": "12", "window": "2s", "warm": "500ms", "streams": "9000", "grants": "1000000", "tokens": "100000", "starts": "11"} {
			if !given[name] {
				flag.Set(name, value)
			}
		}
	}
	exit(run(o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// run makes one measurement after the other and prints each as soon as it is known.
func run(o options) (err error) {
	dir, err := os.MkdirTemp("", "aipassport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	up, err := startMock()
	if err != nil {
		return err
	}
	proxy, err := startProxy(up.addr)
	if err != nil {
		return err
	}
	b := &bed{o: o, up: up, proxy: proxy, dir: dir}
	defer b.stop()
	if err := b.open(); err != nil {
		return err
	}
	b.head()
	for _, m := range []struct {
		name string
		run  func() error
	}{{"calls", b.calls}, {"rate", b.rate}, {"streams", b.streams}, {"held", b.held}, {"start", b.starts}, {"flat", b.flat}} {
		if o.only != "" && !strings.Contains(","+o.only+",", ","+m.name+",") {
			continue
		}
		if err := m.run(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// bed is what all measurements share.
type bed struct {
	o      options
	up     *mock
	proxy  *process
	dir    string
	broker *process
	tokens []string
	other  []string // tokens of the broker in the proxy's place
	at64   float64  // calls/s of the broker at 64 connections, once measured
}

// open starts the broker and gives its apps their tokens. Each app may have 250 calls open.
func (b *bed) open() (err error) {
	if b.broker, err = b.start("broker"); err != nil {
		return err
	}
	apps := max(8, (b.o.streams+openCalls-1)/openCalls)
	if b.tokens, err = b.broker.apps(apps); err != nil || b.o.beside == "" {
		b.other = b.tokens
		return err
	}
	b.proxy.stop()
	before := b.o
	before.binary, before.profile = b.o.beside, ""
	if b.proxy, err = startBroker(before, filepath.Join(b.dir, "beside"), b.up.addr); err != nil {
		return err
	}
	b.other, err = b.proxy.apps(apps)
	return err
}

func (b *bed) start(name string) (*process, error) {
	return startBroker(b.o, filepath.Join(b.dir, name), b.up.addr)
}

func (b *bed) stop() {
	b.proxy.stop()
	if b.broker != nil {
		b.broker.stop()
	}
}

func (b *bed) targets() []*target {
	return []*target{{name: "broker", p: b.broker, tokens: b.tokens}, {name: "proxy", p: b.proxy, tokens: b.other}}
}

// connections are the numbers of -conns.
func (b *bed) connections() (list []int, err error) {
	for _, s := range strings.Split(b.o.conns, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-conns: %q is no number of connections", s)
		}
		list = append(list, n)
	}
	return list, nil
}
