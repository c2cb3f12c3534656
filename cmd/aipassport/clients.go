package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/devrelopers/aipassport/authority/client"
)

// openClients wires who knows the apps.
func (b *broker) openClients() (err error) {
	b.clients, err = client.New(client.Config{
		Store: b.store, Lists: b.store, Once: b.store, Grants: b.control, Owner: b.identity, Issuer: b.public.String(), Now: now, NewID: newID, ClientAddr: b.clientAddr,
		Allow: b.cfg.clientAllow, Roots: b.cfg.clientRoots, UserAgent: "aipassport/" + version, Closed: b.cfg.closedToClients})
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}

// parseDoors reads the settings about addresses outside that are not a provider's, and about apps.
func (s settings) parseDoors(c *config) (err error) {
	if c.webhookAllow, err = parseCIDRs(s.WebhookAllow); err != nil {
		return fmt.Errorf("AIPASSPORT_WEBHOOK_ALLOW: %w", err)
	}
	if c.clientAllow, err = parseCIDRs(s.ClientAllow); err != nil {
		return fmt.Errorf("AIPASSPORT_CLIENT_ALLOW: %w", err)
	}
	if c.clientRoots, err = parseRoots(s.ClientCA); err != nil {
		return fmt.Errorf("AIPASSPORT_CLIENT_CA: %w", err)
	}
	if c.closedToClients, err = parseOff(s.Registration); err != nil {
		return fmt.Errorf("AIPASSPORT_CLIENT_REGISTRATION: %w", err)
	}
	return nil
}

// maxRoots bounds a file of authorities, in bytes.
const maxRoots = 1 << 20

// parseRoots reads a PEM file of authorities; no file means the system's.
func parseRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRoots {
		return nil, fmt.Errorf("%s has more than %d bytes", file, maxRoots)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(file + " has no certificate in PEM form")
	}
	return pool, nil
}

// parseOff says whether a switch is off.
func parseOff(text string) (bool, error) {
	switch text {
	case "on":
		return false, nil
	case "off":
		return true, nil
	default:
		return false, fmt.Errorf("%q is neither on nor off", text)
	}
}
