package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

const maxAnswer = 64 << 10 // bytes of an answer that are read, and thrown away

// payload is what a webhook is told (Standard Webhooks, "Payload structure"). Nothing of what an app or a model said is in it.
type payload struct {
	Type      passport.EventKind `json:"type"`
	Timestamp string             `json:"timestamp"` // of the event
	Data      data               `json:"data"`
}

type data struct {
	Event passport.EventID `json:"event"`
	Grant passport.GrantID `json:"grant,omitempty"`
	Note  string           `json:"note,omitempty"`
	Link  string           `json:"link"` // the page that shows it
}

// outcome is how a try went.
type outcome struct {
	text  string        // empty: delivered
	gone  bool          // the receiver wants no more of it (410)
	after time.Duration // as the receiver asked; 0: it did not
}

// send makes one request. The address and the secret are open only inside here.
func (s *Sender) send(ctx context.Context, w passport.Webhook, ev passport.Event) outcome {
	plain, err := s.c.Box.Open(sealing, rowID, w.Sealed)
	var t target
	if err == nil {
		err = json.Unmarshal(plain, &t)
	}
	if err != nil {
		s.c.Log.Error("webhook: open its address", "error", err.Error())
		return outcome{text: "its sealed address cannot be opened: set it again"}
	}
	body, err := s.body(ev)
	if err != nil {
		return outcome{text: "the event cannot be written"}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{text: "the address cannot be used: set it again"}
	}
	at := strconv.FormatInt(s.c.Now().Unix(), 10)
	id := strings.ReplaceAll(string(ev.ID), ".", "_") // "the message id must not include any ."
	sum, err := sign(t.Secret, id, at, body)
	if err != nil {
		return outcome{text: "its signing secret cannot be used: set it again"}
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "User-Agent": s.c.UserAgent,
		"Webhook-Id": id, "Webhook-Timestamp": at, "Webhook-Signature": sum} {
		req.Header.Set(k, v)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return outcome{text: say(err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // what it says does not matter
	return judge(res)
}

func (s *Sender) body(ev passport.Event) ([]byte, error) {
	link := strings.TrimSuffix(s.c.PublicURL, "/") + "/"
	if ev.Grant != "" {
		link += "grants/" + url.PathEscape(string(ev.Grant))
	}
	return json.Marshal(payload{Type: ev.Kind, Timestamp: ev.At.UTC().Format(time.RFC3339Nano),
		Data: data{Event: ev.ID, Grant: ev.Grant, Note: ev.Note, Link: link}})
}

// sign makes the header of Standard Webhooks: v1 and the HMAC-SHA256 of id, time and body, joined by full stops.
func sign(secret, id, at string, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, SecretPrefix))
	if err != nil || len(key) == 0 {
		return "", errors.New("a signing secret that is none")
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + at + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// judge reads the status: only 2xx is delivered, redirects are not followed.
func judge(res *http.Response) outcome {
	switch {
	case res.StatusCode >= 200 && res.StatusCode <= 299:
		return outcome{}
	case res.StatusCode == http.StatusGone:
		return outcome{text: "answered 410: it wants no more of this", gone: true}
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		return outcome{text: fmt.Sprintf("answered %d: redirects are not followed", res.StatusCode)}
	}
	o := outcome{text: fmt.Sprintf("answered %d", res.StatusCode)}
	if n, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 16); err == nil {
		o.after = time.Duration(n) * time.Second
	}
	return o
}

// say puts a failed request into words of ours. Its own text has the address in it, which may be a secret.
func say(err error) string {
	if refused, ok := errors.AsType[*refusedAddress](err); ok {
		return refused.Error()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its TLS certificate is not valid"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "its name is not known"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "no answer in time"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection was refused"
	}
	return "it could not be reached"
}
