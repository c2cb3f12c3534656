package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// TestOAuthClientLibraryOfGo: golang.org/x/oauth2 runs the code flow, refreshes, and runs the device flow.
func TestOAuthClientLibraryOfGo(t *testing.T) {
	t.Parallel()
	fleets(t, func(t *testing.T, f *fleet) {
		f.in(t)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: f.http})
		t.Run("code and refresh", func(t *testing.T) {
			f.in(t)
			conf := f.config(f.register(confidential))
			pkce := oauth2.GenerateVerifier()
			back := f.decide(conf.AuthCodeURL("the state", oauth2.S256ChallengeOption(pkce), oauth2.SetAuthURLParam("authorization_details", miniChat)), hour)
			got, err := conf.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(pkce))
			if err != nil || got.Type() != "Bearer" {
				t.Fatalf("%+v %v", got, err)
			}
			f.paid(conf.Client(ctx, got), got.Extra("grant_id").(string))
			stale := *got
			stale.Expiry = got.Expiry.AddDate(-1, 0, 0)
			next, err := conf.TokenSource(ctx, &stale).Token()
			if err != nil || next.AccessToken == got.AccessToken || next.RefreshToken == got.RefreshToken {
				t.Fatalf("refreshed: %v", err)
			}
			f.keepSecret(next.RefreshToken)
			f.keepSecret(next.AccessToken)
			f.paid(conf.Client(ctx, next), got.Extra("grant_id").(string))
		})
		t.Run("device", func(t *testing.T) {
			f.in(t)
			conf := f.config(f.register(device))
			da, err := conf.DeviceAuth(ctx, oauth2.SetAuthURLParam("authorization_details", miniChat))
			if err != nil {
				t.Fatal(err)
			}
			f.keepSecret(da.DeviceCode)
			f.answerDevice(da.UserCode, true)
			da.Interval = 1 // the first question may come at any time
			got, err := conf.DeviceAccessToken(ctx, da)
			if err != nil {
				t.Fatal(err)
			}
			f.paid(conf.Client(ctx, got), got.Extra("grant_id").(string))
		})
	})
}

// config is an app as x/oauth2 has it, with the endpoints from the broker's metadata (RFC 8414).
func (f *fleet) config(a *app) *oauth2.Config {
	f.t.Helper()
	var m struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Device    string `json:"device_authorization_endpoint"`
	}
	got := f.send("GET", "/.well-known/oauth-authorization-server", "", nil)
	if err := json.Unmarshal(got.body, &m); err != nil || got.status != 200 {
		f.t.Fatalf("metadata: %s", got)
	}
	style := oauth2.AuthStyleInParams
	if a.secret != "" {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: a.id, ClientSecret: a.secret, RedirectURL: a.redirect,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorize, TokenURL: m.Token, DeviceAuthURL: m.Device, AuthStyle: style}}
}

// paid makes a call as an app and checks that it was answered and paid as the provider counts.
func (f *fleet) paid(client *http.Client, id string) {
	f.t.Helper()
	before, calls := f.settled(id), len(f.fake.Requests())
	req, err := http.NewRequestWithContext(f.t.Context(), "POST", f.url+native[0].path, strings.NewReader(openAIBody("gpt-4o-mini", "paid", 20, false)))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	a, err := readAnswer(res)
	if err != nil || a.status != 200 {
		f.t.Fatalf("a call: %s %v", a, err)
	}
	sent := f.fake.Requests()[calls:]
	if after := f.settled(id); len(sent) != 1 || after.SettledMicroUsd-before.SettledMicroUsd != sent[0].Billed() || after.SettledMicroUsd == 0 {
		f.t.Errorf("settled %+v after %+v, for %d calls", after, before, len(sent))
	}
}
