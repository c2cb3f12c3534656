package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pairOf writes a certificate with a serial number, and its key.
func pairOf(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// TestTheCertificateIsReadAgain when its files change, and goes on where the new ones cannot be read.
func TestTheCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
	at := time.Now()
	write := func(i int, content []byte) {
		t.Helper()
		at = at.Add(time.Second) // two changes within the clock's step are one
		if err := os.WriteFile(files[i], content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(files[i], at, at); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := pairOf(t, 1)
	write(0, cert)
	write(1, key)
	c, err := loadTLS(files[0], files[1])
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	config := c.config(slog.New(slog.NewTextHandler(&log, nil)))
	shows := func(want int64, complaints int) {
		t.Helper()
		if got := shown(t, config); got != want || strings.Count(log.String(), "cannot be read") != complaints {
			t.Errorf("shows %d, want %d, with %d complaints:\n%s", got, want, complaints, log.String())
		}
	}
	shows(1, 0)
	next, nextKey := pairOf(t, 2)
	write(0, next) // the key is another's still
	shows(1, 1)
	shows(1, 1)
	write(1, nextKey)
	shows(2, 1)
	write(0, []byte("nonsense"))
	shows(2, 2)
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	shows(2, 3)
	write(0, cert)
	write(1, key)
	shows(1, 3)
}

// shown is the serial number that a handshake shows.
func shown(t *testing.T, config *tls.Config) int64 {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go tls.Server(a, config).Handshake()
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}
