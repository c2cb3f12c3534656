package connect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds of the listener.
const (
	maxBody       = 32 << 20         // bytes of one call, as the broker's own
	maxBodies     = 256 << 20        // bytes of all calls at one time: each is kept until it is answered, because it may be sent again
	maxCalls      = 256              // at one time
	bodyTime      = time.Minute      // for a body to come in
	writeTime     = time.Minute      // for one piece of an answer to be taken
	headerTime    = 10 * time.Second // for a request's head
	maxHead       = 32 << 10         // bytes
	maxTries      = 3                // of one call: a nonce and a new token
	moreEvery     = time.Minute      // between two hints that more can be asked for
	localKeyStart = "aipl_"          // the local key's first letters, so that people and scanners know it
	maxMore       = 4 << 10          // bytes of what a refusal says is to be asked for
)

// Config is what a sidecar needs. All but Kept, Same and Origins are required.
type Config struct {
	Broker   *url.URL     // where it is
	Listener net.Listener // on loopback
	Kept     Kept         // what the last run kept; the zero value: there was none
	Keeper   Keeper
	Details  string   // authorization_details, JSON (RFC 9396)
	Same     string   // names what is asked for: what is kept is used while it stays the same; empty: Details
	Origins  []string // web pages that may call, by their origin
	Now      func() time.Time
	Open     func(page string)     // shows a page to the person, or its address
	Code     func(at, code string) // says where a person types a code
	Say      func(text string)     // tells the person something, in a line
}

// Sidecar serves SDKs on loopback. Use New, then Serve, then SignIn.
type Sidecar struct {
	cfg    Config
	host   string // 127.0.0.1:port, by which it is called
	port   string
	broker *broker
	hold   *holder
	door   door
	ready  atomic.Bool  // there is access
	calls  atomic.Int64 // at this time
	bodies atomic.Int64 // bytes of them
	more   more
}

// New asks the broker for its name, and makes what is not kept. Errors: the listener is not on loopback; the broker does not answer.
func New(ctx context.Context, cfg Config) (*Sidecar, error) {
	a, ok := cfg.Listener.Addr().(*net.TCPAddr)
	if !ok || !a.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not loopback: others on the network could call", cfg.Listener.Addr())
	}
	client := newClient()
	issuer, err := discover(ctx, client, cfg.Broker)
	if err != nil {
		return nil, err
	}
	if cfg.Kept.Key == "" {
		if cfg.Kept.Key, err = NewKey(); err != nil {
			return nil, err
		}
		cfg.Kept.Refresh, cfg.Kept.Grant = "", "" // bound to a key that is gone
	}
	if cfg.Kept.Local == "" {
		cfg.Kept.Local = localKeyStart + randomText()
	}
	k, err := readKey(cfg.Kept.Key)
	if err != nil {
		return nil, err
	}
	b := &broker{issuer: issuer, key: k, client: client, now: cfg.Now}
	return &Sidecar{cfg: cfg, host: a.String(), port: fmt.Sprint(a.Port), broker: b, hold: newHolder(b, cfg.Keeper, cfg.Kept), door: door{open: map[string]*waiting{}}}, nil
}

// Base is where SDKs find the sidecar; Key is what they show it.
func (s *Sidecar) Base() *url.URL { return &url.URL{Scheme: "http", Host: s.host} }

// Key is the local key.
func (s *Sidecar) Key() string { return s.hold.remembered().Local }

// Serve answers until ctx ends, and then gives running calls a moment.
func (s *Sidecar) Serve(ctx context.Context) error {
	srv := &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: headerTime, MaxHeaderBytes: maxHead, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.cfg.Listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if srv.Shutdown(last) != nil {
		srv.Close()
	}
	<-ended
	s.broker.client.CloseIdleConnections()
	return nil
}

// SignIn gets access: with what is kept if it still works and the same is asked for, else by asking a person, in the browser or on another
// device. It returns when calls can be made.
func (s *Sidecar) SignIn(ctx context.Context, onDevice bool) error {
	same := s.cfg.Same
	if same == "" {
		same = s.cfg.Details
	}
	sum := sha256.Sum256([]byte(s.broker.issuer.String() + "\x00" + same))
	asked := hex.EncodeToString(sum[:])
	if k := s.hold.remembered(); k.Refresh != "" && k.Asked == asked {
		_, err := s.hold.token(ctx, "")
		if err == nil || !errors.Is(err, ErrEnded) {
			s.ready.Store(err == nil)
			return err
		}
	}
	s.hold.mu.Lock()
	s.hold.kept.Asked, s.hold.kept.Refresh = asked, ""
	s.hold.mu.Unlock()
	err := s.ask(ctx, onDevice)
	s.ready.Store(err == nil)
	return err
}

func (s *Sidecar) ask(ctx context.Context, onDevice bool) error {
	if onDevice {
		return s.device(ctx, s.cfg.Details)
	}
	page, w, err := s.authorize(ctx, s.cfg.Details, "")
	if err != nil {
		return err
	}
	s.cfg.Open(page)
	return s.redeem(ctx, w)
}

// End revokes the grant.
func (s *Sidecar) End(ctx context.Context) error {
	s.ready.Store(false)
	return s.hold.end(ctx)
}

// named says whether a Host is ours: loopback by a name that no DNS answer can give, at our port. A page whose name was made to lead here has
// its own name in Host.
func (s *Sidecar) named(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	return port == s.port && (name == "127.0.0.1" || name == "::1" || strings.EqualFold(name, "localhost"))
}
