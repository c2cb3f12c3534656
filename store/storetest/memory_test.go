package storetest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	var places sync.Map
	storetest.Run(t, func(_ *testing.T, place string) storetest.Store {
		m, _ := places.LoadOrStore(place, storetest.NewMemory())
		return m.(*storetest.Memory)
	})
}

func TestMemoryFailsOnDemand(t *testing.T) {
	ctx := context.Background()
	m := storetest.NewMemory()
	person := passport.Person{ID: "p1"}
	lost := errors.New("lost")
	m.Fail("AddFirstPerson", storetest.Before, lost)
	if err := m.AddFirstPerson(ctx, person, passport.Event{}); !errors.Is(err, lost) {
		t.Fatalf("got %v, want %v", err, lost)
	}
	if _, err := m.Owner(ctx); err == nil {
		t.Fatal("got an owner, want none: the failure came before the effect")
	}
	m.Fail("AddFirstPerson", storetest.After, lost)
	if err := m.AddFirstPerson(ctx, person, passport.Event{}); !errors.Is(err, lost) {
		t.Fatalf("got %v, want %v", err, lost)
	}
	if p, err := m.Owner(ctx); err != nil || p.ID != "p1" {
		t.Fatalf("got %v, %v, want the owner: the failure came after the effect", p, err)
	}
	m.Fail("Owner", storetest.After, lost)
	if _, err := m.Owner(ctx); !errors.Is(err, lost) {
		t.Fatalf("got %v, want %v", err, lost)
	}
	m.Fail("Owner", storetest.After, nil)
	if _, err := m.Owner(ctx); err != nil {
		t.Fatalf("got %v, want the failure to have ended", err)
	}
}
