package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// startProxy runs this program again as the bare proxy.
func startProxy(upstream string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "proxy", upstream)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the proxy said no address: %w", err)
	}
	return &process{cmd: cmd, addr: strings.TrimSpace(addr)}, nil
}

// proxyMain serves the bare proxy and says its address on stdout. It is tuned: connections are kept, buffers pooled, pieces flushed at
// once. It reads the body whole before it sends anything, as whoever looks into a call must.
func proxyMain(args []string) error {
	if len(args) != 1 {
		return errors.New("proxy wants the upstream's address")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	to := &url.URL{Scheme: "http", Host: args[0]}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header["Authorization"] = []string{"Bearer " + providerKey}
			if body, err := io.ReadAll(io.LimitReader(r.In.Body, 32<<20)); err == nil {
				r.Out.Body = io.NopCloser(bytes.NewReader(body))
			}
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 16 << 10,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
		BufferPool:    &buffers{sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}},
		FlushInterval: -1,
	}
	fmt.Println(l.Addr())
	return (&http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

type buffers struct{ sync.Pool }

func (p *buffers) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *buffers) Put(b []byte) { p.Pool.Put(&b) }
