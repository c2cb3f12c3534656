package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// journal is the broker's log: every line of stderr and stdout, also read as JSON where it is.
type journal struct {
	mu      sync.Mutex // guards what follows
	text    bytes.Buffer
	lines   []map[string]any
	from    int // index in lines of the first line of this run
	changed chan struct{}
	done    chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) begin(r io.Reader) {
	j.mu.Lock()
	j.from, j.changed, j.done = len(j.lines), make(chan struct{}), make(chan struct{})
	j.mu.Unlock()
	go func() {
		defer close(j.done)
		br := bufio.NewReader(r)
		for {
			line, err := br.ReadString('\n')
			j.add(line)
			if err != nil {
				return
			}
		}
	}()
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.WriteString(line)
	var m map[string]any
	if json.Unmarshal([]byte(line), &m) == nil {
		j.lines = append(j.lines, m)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) wait() { <-j.done }

// await returns the first JSON line of this run that fits.
func (j *journal) await(d time.Duration, fits func(map[string]any) bool) (map[string]any, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		j.mu.Lock()
		changed := j.changed
		for _, m := range j.lines[j.from:] {
			if fits(m) {
				j.mu.Unlock()
				return m, true
			}
		}
		j.mu.Unlock()
		select {
		case <-changed:
		case <-j.done:
			return nil, false
		case <-timer.C:
			return nil, false
		}
	}
}

// tail is the end of the text; all of it for n < 0.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.text.String()
	if n >= 0 && len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// awaitText waits until one of the texts has been printed.
func (j *journal) awaitText(d time.Duration, any ...string) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		j.mu.Lock()
		changed := j.changed
		for _, s := range any {
			if bytes.Contains(j.text.Bytes(), []byte(s)) {
				j.mu.Unlock()
				return true
			}
		}
		j.mu.Unlock()
		select {
		case <-changed:
		case <-j.done:
			return false
		case <-timer.C:
			return false
		}
	}
}
