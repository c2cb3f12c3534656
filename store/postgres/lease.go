package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// Bounds of the lease. An instance is heard four times in each lease.
const (
	leaseTime   = 2 * time.Second
	leaseMargin = 300 * time.Millisecond // this long before its end an instance holds nothing more, and after it nobody takes over
	sweepSize   = 1000                   // holds that are charged in one transaction
	forgetTime  = "1 day"                // after which the row of an instance that ended is removed
)

const (
	sqlJoin = `INSERT INTO instance (id, epoch, lease_until) VALUES ($1, 1, clock_timestamp() + $2::BIGINT * INTERVAL '1 microsecond')
		ON CONFLICT (id) DO UPDATE SET epoch = instance.epoch + 1, lease_until = excluded.lease_until RETURNING epoch`
	// The epoch is the fence, not the time: a lease that has run out and that nobody took may be renewed.
	sqlBeat = `UPDATE instance SET lease_until = clock_timestamp() + $3::BIGINT * INTERVAL '1 microsecond' WHERE id = $1 AND epoch = $2`
	// What was sent at this epoch holds nothing any more when it arrives. When others may take over stays as it is. One that arrives late
	// itself changes nothing.
	sqlRaise = `WITH raised AS (UPDATE instance SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2 RETURNING epoch)
		SELECT epoch, TRUE FROM raised UNION ALL SELECT epoch, FALSE FROM instance WHERE id = $1 ORDER BY 1 DESC LIMIT 1`
	sqlTake = `UPDATE instance i SET epoch = epoch + 1
		WHERE lease_until <= clock_timestamp() - $2::BIGINT * INTERVAL '1 microsecond' AND id <> $1
		AND EXISTS (SELECT 1 FROM reservation r WHERE r.owner = i.id AND r.state = 'held' AND r.epoch <= i.epoch) RETURNING id, epoch`
	sqlForget = `DELETE FROM instance i WHERE lease_until < clock_timestamp() - INTERVAL '` + forgetTime + `' AND id <> $1
		AND NOT EXISTS (SELECT 1 FROM reservation r WHERE r.owner = i.id AND r.state = 'held')`
	sqlSweep = `SELECT calls, total FROM sweep($1, $2, $3, $4)`
	sqlLeave = `WITH gone AS (DELETE FROM instance i WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM reservation r WHERE r.owner = i.id AND r.state = 'held') RETURNING 1)
		UPDATE instance SET lease_until = '-infinity' WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM gone)`
)

// lease is this instance's right to hold money. It goes by two clocks: the database's says when others may take over, and our monotonic
// one says earlier when we stop. Whoever charges a hold flips its state, and nobody else can after that.
type lease struct {
	id    string
	epoch atomic.Int64
	// raising: we have asked for the next epoch ourselves, and may have it without knowing.
	raising atomic.Bool
	until   atomic.Int64 // nanoseconds since start: no hold is begun later

	start  time.Time
	now    func() time.Time
	ttl    time.Duration
	line   *link
	log    *slog.Logger
	stop   context.CancelFunc
	done   chan struct{}
	since  time.Duration // of an unbroken row of beats, since start; only the beating goroutine touches it, and what follows
	last   time.Duration // when the last beat that was heard was sent
	forgot time.Duration // when rows of ended instances were last removed
}

func startLease(ctx context.Context, o Options, line *link) (*lease, error) {
	l := &lease{id: o.NewID(), start: o.Now(), now: o.Now, ttl: o.Lease, line: line, log: o.Log, done: make(chan struct{})}
	if err := l.join(ctx); err != nil {
		line.close()
		return nil, err
	}
	ctx, l.stop = context.WithCancel(context.Background())
	go l.run(ctx)
	return l, nil
}

func (l *lease) age() time.Duration { return l.now().Sub(l.start) }

// Holds says whether this instance may still hold money.
func (l *lease) holds() bool { return int64(l.age()) < l.until.Load() }

// join takes the next epoch.
func (l *lease) join(ctx context.Context) error {
	sent := l.age()
	var epoch int64
	err := l.line.do(ctx, connectTime, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, sqlJoin, l.id, l.ttl.Microseconds()).Scan(&epoch)
	})
	if err != nil {
		return err
	}
	l.epoch.Store(epoch)
	l.since = sent
	l.heard(sent)
	return nil
}

// heard notes a beat that the database took. It counts from when it was sent: the database's lease began later.
func (l *lease) heard(sent time.Duration) {
	if sent-l.last > l.ttl {
		l.since = sent
	}
	l.last = sent
	l.until.Store(int64(sent + l.ttl - leaseMargin))
}

func (l *lease) run(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(l.ttl / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := l.beat(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("database: the lease is not renewed", "err", err)
			continue
		}
		if err := l.takeOver(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("database: calls of an instance that died are not charged yet", "err", err)
		}
	}
}

// beat renews the lease. If a peer took over meanwhile, what was held then is charged or will be; we go on at a new epoch.
func (l *lease) beat(ctx context.Context) error {
	sent, epoch := l.age(), l.epoch.Load()
	var found bool
	err := l.line.do(ctx, l.ttl, func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, sqlBeat, l.id, epoch, l.ttl.Microseconds())
		found = tag.RowsAffected() > 0
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case found:
		l.heard(sent)
		return nil
	case l.epoch.Load() != epoch: // raised meanwhile
		return l.beat(ctx)
	case !l.raising.Load():
		l.taken(epoch)
	}
	return l.join(ctx)
}

// taken tells that a peer has raised our epoch.
func (l *lease) taken(epoch int64) {
	l.log.Warn("a peer took this instance for dead and charged its open calls; it goes on", "epoch", epoch)
}

// raise takes the next epoch, on the connection of the batches, before one whose outcome is unknown is sent again: the first sending may
// still be on its way. If that has come as far as the fence it has the locks on its budgets, and the second waits for it and finds what
// it held; else it is refused there. Open holds of the epochs before stay as they are.
func (l *lease) raise(ctx context.Context, c *pgx.Conn) error {
	doubt, was := l.raising.Swap(true), l.epoch.Load()
	var epoch int64
	var ours bool
	err := c.QueryRow(ctx, sqlRaise, l.id, was).Scan(&epoch, &ours)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // without a row nothing is let through
		return err
	}
	if epoch > was && l.epoch.CompareAndSwap(was, epoch) && !ours && !doubt {
		l.taken(was)
	}
	l.raising.Store(false)
	return nil
}

// takeOver charges the open holds of instances that are not heard any more. Only who was heard without a gap for one and a half leases
// judges others: after the database itself was away all leases have run out, and their owners live.
func (l *lease) takeOver(ctx context.Context) error {
	if l.last-l.since < l.ttl*3/2 {
		return nil
	}
	type dead struct {
		id    string
		epoch int64
	}
	var all []dead
	err := l.line.do(ctx, l.ttl, func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, sqlTake, l.id, leaseMargin.Microseconds())
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (d dead, err error) { return d, r.Scan(&d.id, &d.epoch) })
		return err
	})
	for _, d := range all {
		calls, sum, sweepErr := l.sweep(ctx, d.id, d.epoch)
		if calls > 0 {
			l.log.Warn("charged calls of an instance that died", "instance", d.id, "calls", calls, "micro_usd", int64(sum))
		}
		err = errors.Join(err, sweepErr)
	}
	if age := l.age(); err == nil && age-l.forgot > time.Hour {
		l.forgot = age
		err = l.line.do(ctx, connectTime, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, sqlForget, l.id)
			return err
		})
	}
	return err
}

// sweep charges the open holds that an instance made at an epoch below one.
func (l *lease) sweep(ctx context.Context, id string, below int64) (calls int, sum passport.Money, err error) {
	for {
		var n, total int64
		err := l.line.do(ctx, attemptTime, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, sqlSweep, id, below, store.Micros(l.now()), sweepSize).Scan(&n, &total)
		})
		calls, sum = calls+int(n), sum+passport.Money(total)
		if err != nil || n == 0 {
			return calls, sum, err
		}
	}
}

// close ends the beat and gives the lease back: with nothing open the instance is forgotten, else others may charge at once what is.
func (l *lease) close() error {
	l.stop()
	<-l.done
	l.until.Store(0)
	err := l.line.do(context.Background(), connectTime, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sqlLeave, l.id)
		return err
	})
	l.line.close()
	if err != nil {
		l.log.Error("database: the lease is not given back; it runs out", "err", err)
	}
	return nil
}
