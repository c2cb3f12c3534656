//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Mode is how a server is stopped.
type Mode string

// The two ways: connections are ended and all is written; or nothing is, as in a crash, and the next start recovers.
const (
	Fast      Mode = "fast"
	Immediate Mode = "immediate"
)

// Server is a running Postgres, or one that was stopped.
type Server struct {
	dir      string // has the data and the log
	port     int
	password string
	as       *syscall.Credential // nil: whoever runs the test
	watch    *watchdog
	up       atomic.Bool
}

func start() (_ *Server, err error) {
	s := &Server{password: newPassword()}
	if s.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pgtest-*"); err != nil {
		return nil, err
	}
	if s.watch, err = watchOver(s.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.watch.stop())
		}
	}()
	if err := s.initialize(); err != nil {
		return nil, err
	}
	// A port that is free now may be taken a moment later: then another one is tried.
	for try := 0; ; try++ {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = s.start(); err == nil {
			break
		}
		if try == 2 {
			return nil, err
		}
	}
	return s, s.admin(`CREATE ROLE broker LOGIN PASSWORD '` + s.password + `'`)
}

// initialize makes the data directory. Only the making of it is spared the fsync; what the server writes is not.
func (s *Server) initialize() error {
	pw := filepath.Join(s.dir, "password")
	if err := os.WriteFile(pw, []byte(s.password), 0o600); err != nil {
		return err
	}
	if s.as != nil {
		if err := errors.Join(os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)), os.Chown(pw, int(s.as.Uid), int(s.as.Gid))); err != nil {
			return err
		}
	}
	if err := s.run("initdb", "-D", s.data(), "-U", "postgres", "--pwfile", pw, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"); err != nil {
		return err
	}
	// No socket: a path of one has 107 bytes at most, and a temporary directory may be deep.
	conf := "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n"
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(conf)
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) start() error {
	log := filepath.Join(s.dir, "log")
	err := s.run("pg_ctl", "start", "-D", s.data(), "-w", "-t", strconv.Itoa(int(patience.Seconds())), "-l", log, "-o", fmt.Sprintf("-p %d", s.port))
	if err != nil {
		text, _ := os.ReadFile(log)
		return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4096):])
	}
	s.up.Store(true)
	return nil
}

// Start starts a stopped server again, at the same port, and returns when it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends a server and returns when it is gone.
func (s *Server) Stop(t testing.TB, m Mode) {
	t.Helper()
	s.up.Store(false)
	if err := s.run("pg_ctl", "stop", "-D", s.data(), "-w", "-t", strconv.Itoa(int(patience.Seconds())), "-m", string(m)); err != nil {
		t.Fatal(err)
	}
}

// run runs a program of Postgres as its user.
func (s *Server) run(name string, args ...string) error {
	path, err := program(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setsid: true}
	out, err := os.CreateTemp(s.dir, "out-*") // no pipe: the server inherits it, and a pipe would be waited for
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(text))
	}
	return nil
}

// unprivileged is whom a server runs as: Postgres refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("no user postgres or nobody to run Postgres as: it refuses root")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// watchdog is a shell that ends the server and removes its directory as soon as this process is gone, however it went: it waits
// for the end of its input, which nobody writes to.
type watchdog struct {
	cmd *exec.Cmd
	in  io.Closer
}

const watchScript = `cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1"`

func watchOver(dir string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchScript, "sh", dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &watchdog{cmd, in}, cmd.Start()
}

// stop ends the server now, and waits.
func (w *watchdog) stop() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

func (w *watchdog) end(t testing.TB) {
	if err := w.stop(); err != nil && !strings.Contains(err.Error(), "already closed") {
		t.Logf("end Postgres: %v", err)
	}
}

// Kill ends a server as a loss of power to its process would: nothing is told, nothing written. It returns when the process is gone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.up.Store(false)
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); syscall.Kill(pid, 0) == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the kernel tells only a parent
	}
}
