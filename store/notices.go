package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// notice leaves an event of a grant where its person sees it.
func notice(ctx context.Context, q *query.Queries, ev passport.Event) error {
	if !passport.Noticed(ev.Kind) {
		return nil
	}
	payer, err := q.PayerOfGrant(ctx, string(ev.Grant))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if old := passport.Outdated(ev.Kind); old != "" {
		if err := q.RemoveNotice(ctx, query.RemoveNoticeParams{Subject: string(ev.Grant), Kind: string(old)}); err != nil {
			return err
		}
	}
	return putNotice(ctx, q, string(ev.Grant), payer, ev)
}

func putNotice(ctx context.Context, q *query.Queries, subject, payer string, ev passport.Event) error {
	return q.PutNotice(ctx, query.PutNoticeParams{Subject: subject, Kind: string(ev.Kind), ID: string(ev.ID), Payer: cmp.Or(payer, string(passport.OwnerPays)), At: Micros(ev.At), Note: clip(ev.Note)})
}

// noticeKey leaves word that a provider key is refused, or takes it away when it is not any more.
func noticeKey(ctx context.Context, q *query.Queries, c passport.Credential, ev passport.Event) error {
	if ev.Kind != passport.CredentialRefused {
		if c.RefusedAt.IsZero() {
			return q.RemoveNoticesOf(ctx, string(c.ID))
		}
		return nil
	}
	payer, err := q.PayerOfCredential(ctx, string(c.ID))
	if err != nil {
		return err
	}
	return putNotice(ctx, q, string(c.ID), payer, ev)
}

// forgetCaps takes away what was told of a grant's caps, which are changed.
func forgetCaps(ctx context.Context, q *query.Queries, g passport.GrantID) error {
	for _, k := range passport.OfCaps {
		if err := q.RemoveNotice(ctx, query.RemoveNoticeParams{Subject: string(g), Kind: string(k)}); err != nil {
			return err
		}
	}
	_, err := q.ForgetTold(ctx, string(g))
	return err
}

// Notices is the step of authority.Notices.
func Notices(ctx context.Context, q *query.Queries, payer passport.Payer, limit int) (out []passport.Notice, err error) {
	rows, err := q.Notices(ctx, query.NoticesParams{Payer: string(payer), Limit: Bounded(limit)})
	for _, r := range rows {
		out = append(out, passport.Notice{ID: passport.EventID(r.ID), Kind: passport.EventKind(r.Kind), Subject: r.Subject, Payer: passport.Payer(r.Payer), At: TimeOf(r.At), Note: r.Note})
	}
	return out, err
}

// Dismiss is the step of authority.Notices.
func Dismiss(ctx context.Context, q *query.Queries, payer passport.Payer, id passport.EventID, upTo time.Time) error {
	if id != "" {
		return q.DismissNotice(ctx, query.DismissNoticeParams{Payer: string(payer), ID: string(id)})
	}
	return q.DismissNotices(ctx, query.DismissNoticesParams{Payer: string(payer), At: Micros(upTo)})
}
