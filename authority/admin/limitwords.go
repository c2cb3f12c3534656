package admin

import (
	"context"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// noter puts notes into words for who looks: those of monthly limits name them as the ledger does. It reads what things are called once.
type noter struct {
	a    *Admin
	v    web.Visitor
	keys map[passport.CredentialID]string // nil: not read yet
	who  map[passport.Payer]string
}

// words are an event's note, as a person reads it.
func (n *noter) words(ctx context.Context, ev passport.Event) (string, error) {
	id, most, month, said, ok := passport.LimitNote(ev.Note)
	if !ok {
		return ev.Note, nil
	}
	title, err := n.title(ctx, id, most)
	if err != nil {
		return "", err
	}
	if month != 0 {
		title += ", " + month.Begins().Format("January 2006")
	}
	return title + ": " + said, nil
}

func (n *noter) title(ctx context.Context, id passport.CeilingID, most bool) (string, error) {
	switch of := id.Payer(); {
	case id.Credential() != "":
		label, err := n.key(ctx, id.Credential())
		return "the monthly limit of " + label, err
	case most && of != n.v.Payer():
		name, err := n.name(ctx, of)
		return "the most that " + name + " may spend a month", err
	case most:
		return "the most that the owner lets you spend a month", nil
	case id.Person():
		return "your monthly limit", nil
	default:
		return "the monthly limit of your " + n.a.cfg.Titles(id.Provider()) + " keys", nil
	}
}

func (n *noter) key(ctx context.Context, id passport.CredentialID) (string, error) {
	if n.keys == nil {
		list, err := n.a.cfg.Keys.List(ctx, n.v.Payer())
		if err != nil {
			return "", err
		}
		n.keys = map[passport.CredentialID]string{}
		for _, e := range list {
			n.keys[e.Credential.ID] = "the key “" + e.Credential.Label + "”"
			if e.FromEnv {
				n.keys[e.Credential.ID] = "the key " + e.EnvName + " from the environment"
			}
		}
	}
	if label := n.keys[id]; label != "" {
		return label, nil
	}
	return "a key that is not there any more", nil
}

func (n *noter) name(ctx context.Context, of passport.Payer) (string, error) {
	if n.who == nil {
		list, err := n.a.cfg.Members.People(ctx)
		if err != nil {
			return "", err
		}
		n.who = map[passport.Payer]string{}
		for _, p := range list {
			n.who[p.Payer()] = p.Name
		}
	}
	if name := n.who[of]; name != "" {
		return name, nil
	}
	return "a member who was removed", nil
}
