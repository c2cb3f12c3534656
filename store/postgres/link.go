package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// link is one connection of its own, made when it is needed and made again after it broke. One goroutine uses it.
type link struct {
	cfg  *pgx.ConnConfig
	conn *pgx.Conn
}

// do runs f on the connection, for at most so long. A connection whose state is in doubt is closed.
func (l *link) do(ctx context.Context, most time.Duration, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if l.conn == nil || l.conn.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, l.cfg)
		if err != nil {
			return err
		}
		l.conn = conn
	}
	err := f(ctx, l.conn)
	if err != nil && judge(err) == lost {
		l.close()
	}
	return err
}

func (l *link) close() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.conn.Close(ctx)
	l.conn = nil
}
