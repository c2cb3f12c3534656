package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is one server under load, with the tokens that its callers show in turn.
type target struct {
	name   string
	p      *process
	tokens []string
	turn   atomic.Int64 // of the tokens, over all that is loaded
}

// load is one way to ask.
type load struct {
	conns  int
	stream bool
	rate   float64 // calls a second, due evenly, whatever is answered when; 0: each connection asks again as soon as it has its answer
	warm   time.Duration
	window time.Duration
}

// window is what one target did in one round.
type window struct {
	calls     float64 // a second
	p50, p99  float64 // microseconds to the whole answer; with a rate from when the call was due
	first     float64 // median microseconds to the first byte of the body
	cpu       float64 // seconds of CPU for 1,000 calls
	memory    float64 // MiB resident at its end
	failed    int64
	lastError error
}

// tally is what one connection saw within the measured time.
type tally struct {
	took, first []time.Duration
	failed      int64
	lastError   error
}

// run loads a target for one window.
func (t *target) run(l load) window {
	tallies := make([]tally, l.conns)
	var number atomic.Int64
	begin := time.Now()
	from := begin.Add(l.warm)
	to := from.Add(l.window)
	var wg sync.WaitGroup
	for i := range tallies {
		wg.Go(func() {
			c := client{addr: t.p.addr, stream: l.stream}
			defer c.close()
			for {
				due := time.Now()
				if l.rate > 0 {
					due = begin.Add(time.Duration(float64(number.Add(1)-1) / l.rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if due.After(to) {
					return
				}
				err := c.do(t.tokens[int(t.turn.Add(1))%len(t.tokens)], patience)
				tallies[i].add(&c, due, from, to, l.rate > 0, err)
			}
		})
	}
	time.Sleep(time.Until(from))
	before := t.p.use()
	time.Sleep(time.Until(to))
	after := t.p.use()
	wg.Wait()
	return sum(tallies, l.window, after.cpu-before.cpu, after.memory)
}

// add counts a call: one on its own in the window that it ends in, one of a rate in the window that it was due in.
func (y *tally) add(c *client, due, from, to time.Time, rated bool, err error) {
	end := time.Now()
	at := end
	if rated {
		at = due
	}
	if at.Before(from) || at.After(to) {
		return
	}
	if err != nil {
		y.failed, y.lastError = y.failed+1, err
		time.Sleep(time.Millisecond) // who refuses all is not asked without a pause
		return
	}
	y.took = append(y.took, end.Sub(due))
	y.first = append(y.first, c.in.first.Sub(due))
}

func sum(tallies []tally, span, cpu time.Duration, memory int64) (w window) {
	var took, first []time.Duration
	for _, y := range tallies {
		took, first = append(took, y.took...), append(first, y.first...)
		w.failed += y.failed
		if y.lastError != nil {
			w.lastError = y.lastError
		}
	}
	slices.Sort(took)
	slices.Sort(first)
	w.calls = float64(len(took)) / span.Seconds()
	w.p50, w.p99, w.first = part(took, 0.5), part(took, 0.99), part(first, 0.5)
	w.memory = float64(memory) / (1 << 20)
	if len(took) > 0 {
		w.cpu = cpu.Seconds() / float64(len(took)) * 1000
	}
	return w
}

// part is a quantile of what is sorted, in microseconds.
func part(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]) / float64(time.Microsecond)
}

// rounds loads the targets in turns, another one first in each round.
func rounds(n int, l load, targets []*target) ([][]window, error) {
	all := make([][]window, len(targets))
	for round := range n {
		for k := range targets {
			i := (k + round) % len(targets)
			w := targets[i].run(l)
			if w.lastError != nil {
				return nil, fmt.Errorf("%s: %d calls failed, the last: %w", targets[i].name, w.failed, w.lastError)
			}
			all[i] = append(all[i], w)
		}
	}
	return all, nil
}

// median of a figure over windows.
func median(ws []window, f func(window) float64) float64 {
	var v []float64
	for _, w := range ws {
		v = append(v, f(w))
	}
	return middle(v)
}

// ratio is the median over rounds of a figure of one target to that of another in the same round.
func ratio(a, b []window, f func(window) float64) float64 {
	var v []float64
	for i := range a {
		if f(b[i]) > 0 {
			v = append(v, f(a[i])/f(b[i]))
		}
	}
	return middle(v)
}

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
