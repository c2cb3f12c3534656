package postgres

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// How soon an instance hears what others end. A notification takes about a millisecond; the poll is what the promise of a
// second rests on, because a connection can be dead without a word.
const (
	pollEvery  = 500 * time.Millisecond
	blindAfter = time.Second            // since the last good poll was sent: from then on nobody here knows what has ended
	pollMost   = 400 * time.Millisecond // of one poll, a new connection included
	listenMost = 5 * time.Second        // of connecting and LISTEN
	keysMost   = 5 * time.Second        // of taking over keys
	hearFirst  = 10 * time.Millisecond
	hearLast   = 500 * time.Millisecond
)

// channel is where migrations/postgres/00004 and 00010 notify: "grant ID STATE", "stopped", "keys" or "sdk key".
const channel = "aipassport"

// Watched is what a watch asks and tells. Its functions may be called by several goroutines at once.
type Watched struct {
	Live    func() []passport.GrantID                       // grants with calls in flight here
	Ended   func(g passport.GrantID, s passport.GrantState) // a grant is in a state in which it has no calls
	Stopped func()                                          // all apps are stopped
	SDKKeys func() []passport.TokenID                       // SDK keys with calls in flight here; called after KeyGone with no id
	KeyGone func(id passport.TokenID)                       // an SDK key is revoked; no id: some key is, and which is about to be asked
	Keys    func(ctx context.Context) error                 // signing keys, provider keys or providers may have changed; called again after an error
	Blind   func()                                          // nothing was heard for blindAfter: whatever runs may have ended
}

// Watch hears what other instances end: by LISTEN, and by a poll that does not rely on it. It has two connections of its own.
type Watch struct {
	to   Watched
	now  func() time.Time // with a monotonic reading
	log  *slog.Logger
	poll *link
	hear *link

	wake    chan struct{} // a poll is wanted now
	changed chan struct{} // keys are to be taken over

	start time.Time
	seen  atomic.Int64 // when the last good poll was sent, since start

	stop context.CancelFunc
	done sync.WaitGroup

	// Of the polls' goroutine.
	keys  string // what the last good poll saw of them
	gone  string // and of the SDK keys that were revoked
	blind bool   // Blind was told, and no poll was good since
}

// startWatch polls once, so that nothing is missed from its return on, and goes on until close.
func startWatch(ctx context.Context, cfg *pgx.ConnConfig, to Watched, now func() time.Time, log *slog.Logger) (*Watch, error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &Watch{to: to, now: now, log: log, poll: &link{cfg: cfg}, hear: &link{cfg: cfg}, wake: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		start: now(), stop: stop}
	if err := w.look(ctx, connectTime); err != nil {
		stop()
		w.poll.close()
		return nil, err
	}
	w.done.Go(func() { w.polls(ctx) })
	w.done.Go(func() { w.listens(ctx) })
	w.done.Go(func() { w.takesKeys(ctx) })
	return w, nil
}

// close ends the watch.
func (w *Watch) close() {
	w.stop()
	w.done.Wait()
	w.poll.close()
	w.hear.close()
}

// fresh says, as Unavailable, that this instance does not hear what others end, so that no call may begin.
func (w *Watch) fresh() error {
	if w.unheard() <= blindAfter {
		return nil
	}
	return problem.New(problem.Unavailable, "this instance does not hear what other instances end").After(time.Second)
}

// unheard is how long ago the last good poll was sent.
func (w *Watch) unheard() time.Duration { return w.now().Sub(w.start) - time.Duration(w.seen.Load()) }

// polls asks every pollEvery, at once when it is woken, and soon after a poll that failed.
func (w *Watch) polls(ctx context.Context) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	wait := hearFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		err := w.look(ctx, w.inTime(pollMost))
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = hearFirst
			timer.Reset(pollEvery)
		default:
			w.tellBlind(err)
			timer.Reset(w.inTime(wait))
			wait = min(2*wait, hearLast)
		}
	}
}

// inTime cuts a span so that it is over when blindness must be told. Where that moment has passed, because this process stood
// still, it asks once before it calls itself blind.
func (w *Watch) inTime(d time.Duration) time.Duration {
	left := blindAfter - w.unheard()
	if w.blind || left <= 0 {
		return d
	}
	return max(min(d, left), time.Millisecond)
}

// tellBlind ends what runs, once, where nothing has been heard for too long.
func (w *Watch) tellBlind(err error) {
	if w.blind || w.unheard() < blindAfter {
		return
	}
	w.blind = true
	w.log.Error("the database does not say what has ended: calls in flight are cut, and none begin", "error", err.Error())
	w.to.Blind()
}

// sqlKeys tells whether apps are stopped, a text that changes when a key or a provider is made, changes or goes, and one that changes with each SDK
// key that is revoked. The tables are small.
const sqlKeys = `SELECT EXISTS (SELECT 1 FROM setting WHERE name = '` + store.StoppedSetting + `'),
	md5(coalesce((SELECT string_agg(id || ' ' || state, ',' ORDER BY id) FROM signing_key), '') || '/' ||
		coalesce((SELECT string_agg(id || ' ' || rotated_at || ' ' || chosen_at, ',' ORDER BY id) FROM credential), '') || '/' ||
		coalesce((SELECT string_agg(name || ' ' || version || ' ' || created_at, ',' ORDER BY name) FROM compatible), '')),
	coalesce((SELECT value FROM setting WHERE name = '` + store.SDKKeySetting + `'), '')`

// sqlGone tells which of the SDK keys in flight are revoked.
const sqlGone = `SELECT id FROM token WHERE id = ANY ($1) AND revoked_at <> 0`

// sqlOver tells which of the grants in flight may have no calls any more.
const sqlOver = `SELECT grant_id, status FROM budget WHERE seq = 0 AND grant_id = ANY ($1) AND status <> 'active'`

// look asks once what has ended of what is in flight here. A call that comes on the board later meets the ledger, which sees it.
func (w *Watch) look(ctx context.Context, most time.Duration) error {
	sent := w.now().Sub(w.start)
	ended := map[passport.GrantID]passport.GrantState{}
	var stopped bool
	var keys, gone string
	live := w.to.Live()
	err := w.poll.do(ctx, most, func(ctx context.Context, c *pgx.Conn) error {
		var b pgx.Batch
		b.Queue(sqlOver, textsOf(live)).Query(func(rows pgx.Rows) error {
			var g, s string
			_, err := pgx.ForEachRow(rows, []any{&g, &s}, func() error {
				ended[passport.GrantID(g)] = passport.GrantState(s)
				return nil
			})
			return err
		})
		b.Queue(sqlKeys).QueryRow(func(row pgx.Row) error { return row.Scan(&stopped, &keys, &gone) })
		return c.SendBatch(ctx, &b).Close()
	})
	if err == nil && gone != w.gone {
		err = w.lookAtKeys(ctx, most)
	}
	if err != nil {
		return err
	}
	w.gone = gone
	for g, s := range ended {
		w.to.Ended(g, s)
	}
	if stopped {
		w.to.Stopped()
	}
	if keys != w.keys {
		w.keys = keys
		signal(w.changed)
	}
	w.seen.Store(int64(sent))
	if w.blind {
		w.blind = false
		w.log.Info("the database says again what has ended")
	}
	return nil
}

// lookAtKeys asks which of the SDK keys in flight are revoked. Calls that come on the board meanwhile know that they must ask themselves.
func (w *Watch) lookAtKeys(ctx context.Context, most time.Duration) error {
	w.to.KeyGone("")
	live := w.to.SDKKeys()
	if len(live) == 0 {
		return nil
	}
	return w.poll.do(ctx, most, func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, sqlGone, textsOf(live))
		if err != nil {
			return err
		}
		gone, err := collectTexts(rows)
		for _, id := range gone {
			w.to.KeyGone(passport.TokenID(id))
		}
		return err
	})
}

func textsOf[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// signal wants something done, unless it is wanted already.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// takesKeys takes over what others did to the keys, apart from the polls, which must not wait for it.
func (w *Watch) takesKeys(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		bounded, cancel := context.WithTimeout(ctx, keysMost)
		err := w.to.Keys(bounded)
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		w.log.Warn("take over the keys of other instances", "error", err.Error())
		signal(w.changed)
		pause(ctx, hearLast)
	}
}

// listens hears notifications, and connects again where the connection broke. A poll follows each LISTEN: what was notified
// before it is not said again.
func (w *Watch) listens(ctx context.Context) {
	wait := hearFirst
	for ctx.Err() == nil {
		err := w.hear.do(ctx, listenMost, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "LISTEN "+channel)
			return err
		})
		if err == nil {
			wait = hearFirst
			signal(w.wake)
			err = w.hears(ctx)
			w.hear.close()
		}
		if ctx.Err() != nil {
			return
		}
		w.log.Warn("listen to the database", "error", err.Error())
		pause(ctx, wait)
		wait = min(2*wait, hearLast)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (w *Watch) hears(ctx context.Context) error {
	for {
		n, err := w.hear.conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		w.told(n.Payload)
	}
}

// told reads a notification. One that says nothing by itself makes the watch look.
func (w *Watch) told(payload string) {
	what := strings.Fields(payload)
	switch {
	case len(what) == 3 && what[0] == "grant":
		if state := passport.GrantState(what[2]); state != passport.GrantActive {
			w.to.Ended(passport.GrantID(what[1]), state)
		}
	case payload == "stopped":
		w.to.Stopped()
	default:
		signal(w.wake)
	}
}
