package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestLedgerVerify: it says that a ledger adds up while the broker runs and after, and what somebody has changed in it.
func TestLedgerVerify(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	for range 3 {
		if a := b.call(native[0], g.token, "counted"); a.status != 200 {
			t.Fatal(a)
		}
	}
	b.settled(g.id)
	b.verify()
	if code := b.stop(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	b.verify()

	db := must(driver.Open(filepath.Join(b.data, "aipassport.db")))
	must(db.Exec(`UPDATE budget SET settled = settled - 1`))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(testutil.Context(t), binary, "ledger", "verify")
	cmd.Env = b.env.list()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "WRONG: grant "+g.id) || !strings.Contains(string(out), "1 differences") {
		t.Errorf("got %v\n%s", err, out)
	}

	cmd = exec.CommandContext(testutil.Context(t), binary, "ledger", "verify", "--data", t.TempDir())
	out, err = cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "there is no broker's data in") {
		t.Errorf("got %v\n%s", err, out)
	}
}
