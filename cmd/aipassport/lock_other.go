//go:build !unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockData keeps a second broker off the data directory. Windows does not remove a file that is open, which is the lock.
func lockData(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("AIPASSPORT_DATA: another broker is running on %s", dir)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("AIPASSPORT_DATA: lock %s: %w", dir, err)
	}
	return f, nil
}
