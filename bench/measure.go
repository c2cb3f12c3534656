package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// head says what is measured and where, so that the tables below can be quoted.
func (b *bed) head() {
	state := "SQLite, write-ahead log, synchronous=FULL"
	if b.o.database != "" {
		state = "Postgres"
	}
	fmt.Printf("%s; %s, %d cores, %s/%s\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	fmt.Printf("%s; broker, proxy, and load with upstream are three processes on this machine, which answers at once over loopback.\n", runtime.Version())
	fmt.Printf("On in the broker: all of it, in its default settings: %s; %d apps. 1 KiB in, 1 KiB out.\n", state, len(b.tokens))
	fmt.Printf("%d rounds, %s each; medians, and in the columns of ratios the median over rounds of broker to proxy in the same round.\n", b.o.rounds, b.o.window)
}

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// Figures of a window.
func callsOf(w window) float64 { return w.calls }
func p50Of(w window) float64   { return w.p50 }
func p99Of(w window) float64   { return w.p99 }
func firstOf(w window) float64 { return w.first }
func cpuOf(w window) float64   { return w.cpu }

const (
	tableHead = "| connections | broker /s | proxy /s | ratio | p50 µs | ratio | p99 µs | proxy p99 | ratio | CPU s/1,000 | proxy | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n"
	tableRow  = "| %d | %.0f | %.0f | **%.2f** | %.0f | %.2f | %.0f | %.0f | **%.2f** | %.3f | %.3f | %.2f |\n"
)

func row(conns int, w [][]window) {
	a, z := w[0], w[1]
	fmt.Printf(tableRow, conns, median(a, callsOf), median(z, callsOf), ratio(a, z, callsOf), median(a, p50Of), ratio(a, z, p50Of),
		median(a, p99Of), median(z, p99Of), ratio(a, z, p99Of), median(a, cpuOf), median(z, cpuOf), ratio(a, z, cpuOf))
}

// calls: each connection asks again as soon as it has its answer.
func (b *bed) calls() error {
	conns, err := b.connections()
	if err != nil {
		return err
	}
	fmt.Print("\nCalls, JSON (targets: ratio of calls 0.7 and more from 16 connections on, of p99 1.5 and less):\n\n" + tableHead)
	for _, n := range conns {
		w, err := rounds(b.o.rounds, load{conns: n, warm: b.o.warm, window: b.o.window}, b.targets())
		if err != nil {
			return err
		}
		row(n, w)
		if n == 64 {
			b.at64 = median(w[0], callsOf)
		}
	}
	return nil
}

// rate: calls come evenly, at half of what the broker takes at 64 connections, whatever is answered when.
func (b *bed) rate() error {
	if b.at64 == 0 {
		b.at64 = (&target{p: b.broker, tokens: b.tokens}).run(load{conns: 64, warm: b.o.warm, window: b.o.window}).calls
	}
	rate := b.at64 / 2
	w, err := rounds(b.o.rounds, load{conns: 64, rate: rate, warm: b.o.warm, window: b.o.window}, b.targets())
	if err != nil {
		return err
	}
	fmt.Printf("\nCalls due evenly, %.0f a second, latency from when a call was due:\n\n"+tableHead, rate)
	row(64, w)
	return nil
}

// streams of 50 chunks, as fast as they come. One that is cut is an error.
func (b *bed) streams() error {
	fmt.Printf("\nStreams of %d chunks (target: ratio 0.9 and more; none is cut, or the run ends here):\n\n", chunks+2)
	fmt.Print(tableHead)
	for _, n := range []int{16, 64} {
		w, err := rounds(b.o.rounds, load{conns: n, stream: true, warm: b.o.warm, window: b.o.window}, b.targets())
		if err != nil {
			return err
		}
		row(n, w)
		fmt.Fprintf(os.Stderr, "first chunk at %d: broker %.0f µs, proxy %.0f µs\n", n, median(w[0], firstOf), median(w[1], firstOf))
	}
	return nil
}

// held: many streams open at once, a chunk each second.
func (b *bed) held() error {
	fmt.Printf("\n%d streams held, a chunk a second each (target: 60 KiB each and less):\n\n| server | KiB a stream | MiB before | MiB held | CPU cores | first chunk p50 ms | p99 ms | cut |\n|---|---|---|---|---|---|---|---|\n", b.o.streams)
	for _, t := range b.targets() {
		if err := b.hold(t); err != nil {
			return err
		}
	}
	return nil
}

// hold opens the streams over a while, keeps them for five seconds and waits for their ends.
func (b *bed) hold(t *target) error {
	ramp := max(2*time.Second, time.Duration(b.o.streams)*time.Second/1500)
	const measured = 5 * time.Second
	end := make(chan struct{})
	b.up.pace.Store(&pace{chunks: 1 << 20, pause: time.Second, end: end})
	defer b.up.pace.Store(&pace{chunks: chunks})
	before := t.p.use()
	var failed, open atomic.Int64
	var mu sync.Mutex // guards the two below
	var first []time.Duration
	var last struct{ err error }
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range b.o.streams {
		wg.Go(func() {
			due := begin.Add(ramp * time.Duration(i) / time.Duration(b.o.streams))
			time.Sleep(time.Until(due))
			c := client{addr: t.p.addr, stream: true}
			defer c.close()
			var once sync.Once
			c.in.onRead = func() { once.Do(func() { open.Add(1) }) }
			err := c.do(t.tokens[i%len(t.tokens)], 5*time.Minute)
			if err != nil {
				failed.Add(1)
				mu.Lock()
				last.err = err
				mu.Unlock()
				return
			}
			mu.Lock()
			first = append(first, c.in.first.Sub(due))
			mu.Unlock()
		})
	}
	time.Sleep(time.Until(begin.Add(ramp)))
	for open.Load()+failed.Load() < int64(b.o.streams) && time.Since(begin) < ramp+time.Minute {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
	from, all := t.p.use(), open.Load()
	var held []float64
	for range int(measured / (250 * time.Millisecond)) {
		time.Sleep(250 * time.Millisecond)
		held = append(held, float64(t.p.use().memory))
	}
	to := t.p.use()
	close(end)
	wg.Wait()
	if all < int64(b.o.streams) {
		return fmt.Errorf("%s: %d of %d streams could be opened, %d of them failed, the last: %w", t.name, all, b.o.streams, failed.Load(), last.err)
	}
	slices.Sort(first)
	now := middle(held)
	fmt.Printf("| %s | **%.1f** | %.1f | %.1f | %.2f | %.1f | %.1f | %d |\n", t.name, (now-float64(before.memory))/float64(b.o.streams)/1024, float64(before.memory)/(1<<20), now/(1<<20),
		(to.cpu-from.cpu).Seconds()/measured.Seconds(), part(first, .5)/1000, part(first, .99)/1000, failed.Load())
	return nil
}

// starts: from exec to the first answer of a call that went all the way, and the memory a second later.
func (b *bed) starts() error {
	dir := filepath.Join(b.dir, "start")
	p, err := startBroker(b.o, dir, b.up.addr)
	if err != nil {
		return err
	}
	tokens, err := p.apps(1)
	p.stop()
	if err != nil {
		return err
	}
	var ms, mib []float64
	for range b.o.starts {
		begin := time.Now()
		p, err := startBroker(b.o, dir, b.up.addr)
		if err != nil {
			return err
		}
		c := client{addr: p.addr}
		err = c.do(tokens[0], patience)
		ms = append(ms, time.Since(begin).Seconds()*1000)
		c.close()
		time.Sleep(time.Second)
		mib = append(mib, float64(p.use().memory)/(1<<20))
		p.stop()
		if err != nil {
			return err
		}
	}
	slices.Sort(ms)
	fmt.Printf("\nStart to the first answered call (target: 100 ms): **%.0f ms** (median of %d, %.0f to %.0f). Memory a second later (target: 40 MiB): **%.1f MiB**.\n",
		middle(ms), len(ms), ms[0], ms[len(ms)-1], middle(mib))
	return nil
}
