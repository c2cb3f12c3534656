//go:build unix

// Package valkeytest starts a real Valkey or Redis for tests, in memory only, on a socket in a temporary directory. It ends with
// the test process however that ends. Only tests import it.
package valkeytest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Missing is what a test says where there is no server to start.
const Missing = "this test needs valkey-server or redis-server, 7 or later: install one (Debian: apt-get install redis-server)"

// New starts a server that ends with the test, and returns its address. Where none is installed the test is skipped, or fails
// if CI is set.
func New(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("valkey-server")
	if err != nil {
		program, err = exec.LookPath("redis-server")
	}
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(Missing)
	}
	if err != nil {
		t.Skip(Missing)
	}
	dir, err := os.MkdirTemp("", "vk-*") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	// The shell ends the server when its input does: at the latest when this process is gone.
	cmd := exec.Command("sh", "-c", `"$1" --port 0 --unixsocket "$2" --dir "$3" --save "" --appendonly no --daemonize no </dev/null & read -r _; kill -9 $!; wait; rm -rf "$3"`,
		"sh", program, socket, dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		// Redis says "The server is now ready to accept connections at", later ones "Ready to accept connections unix".
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() {
				for lines.Scan() { // or it would wait for a reader
				}
			}()
			return "unix://" + socket
		}
	}
	t.Fatalf("%s does not start:\n%s", program, said.String())
	return ""
}
