package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// watched is one call on its way: it ends when its context does, when the provider has been silent for too long, or when its body is
// closed, and says why.
type watched struct {
	ctx    context.Context
	cfg    *Config
	body   io.ReadCloser
	cut    func() // ends what is under way
	timer  *time.Timer
	begun  atomic.Bool // the answer is there
	silent atomic.Bool // it was ended by its timer
}

// roundTrip sends the request and waits for the header of its answer. sent says whether a byte may have left.
func (w *watched) roundTrip(req *http.Request, body []byte, via *door) (res *http.Response, sent bool, err error) {
	if via.clear != nil && req.URL.Scheme == "http" && req.ContentLength <= maxClearBody {
		res, sent, err = w.inClear(req, body, via.clear)
	} else {
		res, sent, err = w.encrypted(req, via.encrypted)
	}
	if err != nil {
		w.end()
		return nil, sent, err
	}
	w.begun.Store(true)
	w.within(w.cfg.IdleTimeout)
	return res, sent, nil
}

func (w *watched) inClear(req *http.Request, body []byte, pool *clear) (*http.Response, bool, error) {
	l, err := pool.take(w.ctx, addressOf(req))
	if err != nil {
		return nil, false, err
	}
	u := &use{line: l}
	w.cut = u.cut
	w.within(w.cfg.HeaderTimeout)
	res, err := u.roundTrip(w.ctx, req, body)
	return res, !errors.Is(err, errUnwritten), err
}

// encrypted leaves the wait for the header to rt, which counts it from when the request is written.
func (w *watched) encrypted(req *http.Request, rt *http.Transport) (*http.Response, bool, error) {
	var got atomic.Bool
	ctx, cancel := context.WithCancel(w.ctx)
	w.cut = cancel
	res, err := rt.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) }, // from here on bytes may be written
	})))
	return res, got.Load(), err
}

// within ends the call unless it gets on in time.
func (w *watched) within(d time.Duration) {
	if w.timer != nil {
		w.timer.Reset(d)
		return
	}
	w.timer = time.AfterFunc(d, func() {
		w.silent.Store(true)
		w.cut()
	})
}

// cause is why the call was ended by us or for us; nil: it was not.
func (w *watched) cause() error {
	switch {
	case !w.silent.Load():
		return context.Cause(w.ctx)
	case w.begun.Load():
		return problem.New(problem.UpstreamTimeout, "the provider fell silent for %s", w.cfg.IdleTimeout)
	default:
		return problem.New(problem.UpstreamTimeout, "the provider did not answer in time")
	}
}

func (w *watched) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.cut != nil {
		w.cut()
	}
}

// Read puts the end by silence off, and says why a read ended.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if err == nil {
		w.timer.Reset(w.cfg.IdleTimeout)
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		return n, err
	}
	if cause := w.cause(); cause != nil {
		return n, cause
	}
	return n, problem.Wrap(err, problem.UpstreamFailed, "the provider's answer broke off")
}

func (w *watched) Close() error {
	w.end()
	if err := w.body.Close(); err != nil {
		return fmt.Errorf("close the provider's answer: %w", err)
	}
	return nil
}
