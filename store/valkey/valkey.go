// Package valkey counts the calls of a minute in Valkey or Redis (7 or later), for all instances that name it. It never holds
// money: what it forgets, or what somebody writes into it, can cost a limit of calls a minute and nothing else.
package valkey

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/devrelopers/aipassport/store/rates"
)

// dialDeadline bounds the first connection.
const dialDeadline = 5 * time.Second

//go:embed take.lua
var script string

// counter counts with one script a detail, all of a batch in one round trip. One goroutine uses it.
type counter struct {
	client rueidis.Client
	sha    string
}

// Check says what is wrong with an address. It does not repeat it: it may have a password.
func Check(url string) error {
	if _, err := rueidis.ParseURL(url); err != nil {
		return errors.New("is not an address like redis://host:6379, rediss://, valkey:// or unix:///path")
	}
	return nil
}

// Open connects, and counts from then on. The clock is the server's, unless a test brings its own.
func Open(ctx context.Context, url string, now func() time.Time, log *slog.Logger) (*rates.Rates, error) {
	o, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, Check(url)
	}
	o.DisableCache, o.DisableRetry, o.ClientName = true, true, "aipassport"
	o.PipelineMultiplex = -1 // one connection: one goroutine uses it
	o.Dialer.Timeout, o.ConnWriteTimeout = dialDeadline, dialDeadline
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, errors.New("it cannot be reached, or refuses the name or password")
	}
	c := &counter{client: client}
	ctx, cancel := context.WithTimeout(ctx, dialDeadline)
	defer cancel()
	if c.sha, err = client.Do(ctx, client.B().ScriptLoad().Script(script).Build()).ToString(); err != nil {
		client.Close()
		return nil, fmt.Errorf("it does not take a script: %w", err)
	}
	return rates.New(c, now, log), nil
}

// Close implements rates.Counter.
func (c *counter) Close() { c.client.Close() }

// Sweep implements rates.Counter: what has passed expires by itself.
func (c *counter) Sweep(context.Context, *time.Time) error { return nil }

// Count implements rates.Counter. A script that the server has lost, as after its restart, is sent anew.
func (c *counter) Count(ctx context.Context, jobs []*rates.Job, now *time.Time) error {
	var groups [][]*rates.Job // by detail; jobs are sorted
	for i, j := range jobs {
		if i == 0 || j.At.Grant != jobs[i-1].At.Grant || j.At.Detail != jobs[i-1].At.Detail {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], j)
	}
	commands := make(rueidis.Commands, len(groups))
	for i, g := range groups {
		commands[i] = c.client.B().Evalsha().Sha1(c.sha).Numkeys(1).Key(key(g[0])).Arg(args(g, now)...).Build()
	}
	for i, result := range c.client.DoMulti(ctx, commands...) {
		if e, ok := rueidis.IsRedisErr(result.Error()); ok && e.IsNoScript() {
			g := groups[i]
			result = c.client.Do(ctx, c.client.B().Eval().Script(script).Numkeys(1).Key(key(g[0])).Arg(args(g, now)...).Build())
		}
		if err := answer(groups[i], result); err != nil {
			return err
		}
	}
	return nil
}

// key names a detail. The braces make it whole on a cluster, where a grant's details then live together.
func key(j *rates.Job) string {
	return "aipassport:rate:{" + string(j.At.Grant) + "}:" + strconv.Itoa(j.At.Detail)
}

func args(jobs []*rates.Job, now *time.Time) []string {
	list := make([]string, 0, 1+2*len(jobs))
	at := ""
	if now != nil {
		at = strconv.FormatInt(now.UnixMicro(), 10)
	}
	list = append(list, at)
	for _, j := range jobs {
		list = append(list, strconv.FormatInt(j.Limit, 10), strconv.FormatInt(j.At.Batch, 10))
	}
	return list
}

func answer(jobs []*rates.Job, r rueidis.RedisResult) error {
	said, err := r.AsStrSlice()
	if err != nil {
		return fmt.Errorf("count in Valkey: %w", err)
	}
	if len(said) != 2*len(jobs) {
		return errors.New("the script answered another number of calls")
	}
	for i, j := range jobs {
		batch, err1 := strconv.ParseInt(strings.TrimSpace(said[2*i]), 10, 64)
		wait, err2 := strconv.ParseInt(strings.TrimSpace(said[2*i+1]), 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("read the script's answer: %w", err)
		}
		j.At.Batch, j.Wait = batch, time.Duration(wait)*time.Microsecond
	}
	return nil
}
