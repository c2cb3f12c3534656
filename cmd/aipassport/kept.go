package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// maxKept bounds a file of ours in the user's configuration, in bytes.
const maxKept = 1 << 20

// kept is what this command line remembers of brokers: a file of the user alone. It is not sealed: whoever can read the user's files
// could read the key beside it as well.
type kept struct {
	file   string
	Last   string             `json:"last"` // the broker that was signed in to last
	Logins map[string]keptOne `json:"logins"`
}

// keptOne is an owner's bearer.
type keptOne struct {
	Bearer    string    `json:"bearer"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// configDir is where the user's configuration of aipassport is.
func configDir() (string, error) {
	base, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the user's configuration: %w", err)
	}
	return filepath.Join(base, "aipassport"), nil
}

// openKept reads the file. One that is not there is empty; one that others can read is refused.
func openKept() (*kept, error) {
	dir, err := configDir()
	if err != nil {
		return nil, err
	}
	k := &kept{file: filepath.Join(dir, "logins.json"), Logins: map[string]keptOne{}}
	if err := readPrivate(k.file, k); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if k.Logins == nil {
		k.Logins = map[string]keptOne{}
	}
	return k, nil
}

func (k *kept) signIn(broker, bearer string, ends time.Time) error {
	k.Last, k.Logins[broker] = broker, keptOne{bearer, ends}
	return writePrivate(k.file, k)
}

func (k *kept) signOut(broker string) error {
	delete(k.Logins, broker)
	if k.Last == broker {
		k.Last = ""
	}
	return writePrivate(k.file, k)
}

// errLocked says that another process has a folder.
var errLocked = errors.New("another process has it")

// readPrivate reads a file that must be the user's alone.
func readPrivate(file string, out any) error {
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() > maxKept {
		return fmt.Errorf("%s is not a file of ours", file)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be read by others: chmod 600 it", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s is not a file of ours: %w", file, err)
	}
	return nil
}

// writePrivate replaces a file whole, so that whoever reads it, also after a crash, finds the old or the new one.
func writePrivate(file string, in any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
