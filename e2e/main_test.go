package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the broker under test.
var binary string

// TestMain builds the broker once: static as it is released, or with the race detector where E2E_RACE is set. Paths are not trimmed: the
// compiler would begin anew with all that it has done for other tests.
func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "aipassport-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "aipassport")
	args, cgo := []string{"build", "-o", binary}, "CGO_ENABLED=0"
	if os.Getenv("E2E_RACE") != "" {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "github.com/devrelopers/aipassport/cmd/aipassport")...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the broker: %w\n%s", err, out)
	}
	return m.Run(), nil
}
