package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Trouble is an error page: what happened, what it did or did not do, what to do now.
type Trouble struct {
	Stamp, Code, Title, Text, Next string
	ID                             string // for the operator; empty: none
	Link, LinkText                 string // where to go on; empty: the apps
}

// Error answers with an error page. What the person cannot mend is told to the operator's log, here and nowhere else.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, v Visitor, err error) {
	e := problem.From(err)
	status, t := trouble(e)
	if status >= 500 {
		p.log(r, "page "+r.URL.Path, err)
		t.ID = p.requestID(r)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	t.Code = fmt.Sprint(status)
	if t.Link == "" {
		t.Link, t.LinkText = "/", "Go to your apps"
	}
	p.Render(w, r, status, "error", Page{Title: "Error: " + strings.ToLower(t.Title[:1]) + t.Title[1:], Visitor: v, D: t})
}

// trouble is how each kind of problem reads on a page. A kind that pages do not know reads as our own failure.
func trouble(e *problem.Error) (int, Trouble) {
	switch e.Kind {
	case problem.Invalid:
		return http.StatusUnprocessableEntity, Trouble{Stamp: "Not done", Title: "That can't be done as it was sent", Text: sentence(e.Detail),
			Next: "Nothing was changed. Go back, change it and send it again."}
	case problem.Unauthenticated:
		return http.StatusUnauthorized, Trouble{Stamp: "Signed out", Title: "You are not signed in", Text: "Nothing was changed.",
			Next: "Sign in and do it again.", Link: "/login", LinkText: "Sign in"}
	case problem.Forbidden:
		return http.StatusForbidden, Trouble{Stamp: "Not done", Title: "This was not sent from an open page of yours",
			Text: "Nothing was changed. This happens when you signed in again in another tab, or when another site sent you here.",
			Next: "Open the page again and decide there."}
	case problem.NotFound:
		return http.StatusNotFound, Trouble{Stamp: "Not here", Title: "There is nothing at this address",
			Text: "It may never have existed, or it is gone.", Next: "Nothing was changed."}
	case problem.Conflict:
		return http.StatusConflict, Trouble{Stamp: "Not done", Title: "It has changed in the meantime", Text: "What you asked for no longer fits, so it was not done.",
			Next: "Look at how it stands now."}
	case problem.TooLarge, problem.UnsupportedMedia, problem.MethodNotAllowed:
		return http.StatusBadRequest, Trouble{Stamp: "Not done", Title: "This is not a form of ours", Text: "Nothing was changed.",
			Next: "Open the page again and decide there."}
	case problem.RateExceeded, problem.Busy:
		return http.StatusTooManyRequests, Trouble{Stamp: "Wait", Title: "Too many tries", Text: "Nothing was changed.",
			Next: waitText(e.RetryAfter)}
	case problem.UpstreamFailed, problem.UpstreamTimeout:
		return http.StatusBadGateway, Trouble{Stamp: "Not done", Title: "Another server could not be asked", Text: sentence(e.Detail),
			Next: "Nothing was changed. Try again in a minute."}
	case problem.Unavailable:
		return http.StatusServiceUnavailable, Trouble{Stamp: "Not done", Title: "This machine can't do that right now",
			Text: "What you asked for was not done. Limits that were set still hold.", Next: "Try again in a minute. If it stays, look at the disk and at the log."}
	default:
		return http.StatusInternalServerError, Trouble{Stamp: "Not done", Title: "Something failed on this machine",
			Text: "It is not certain that what you asked for was done. Limits that were set still hold.",
			Next: "Look at how it stands now. If it stays, the operator finds the cause in the log."}
	}
}

func waitText(d time.Duration) string {
	if d <= 0 {
		return "Wait a while, then try again."
	}
	if d <= time.Minute {
		return "Try again in " + Count(int64((d+time.Second-1)/time.Second), "second", "seconds") + "."
	}
	return "Try again in " + Count(int64((d+time.Minute-1)/time.Minute), "minute", "minutes") + "."
}

// sentence makes a detail read as one.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
