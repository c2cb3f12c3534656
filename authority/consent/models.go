package consent

import (
	"cmp"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/internal/names"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// models says what of each model that was asked for a person should know.
func (dv *detailView) models(asked passport.Detail, dc detailChoice, prices []ModelInfo) {
	if dv.Any = len(asked.Models) == 0; dv.Any {
		dv.AnyModels = len(prices)
		if len(prices) > 0 {
			top := slices.MaxFunc(prices, func(a, b ModelInfo) int { return cmp.Compare(a.ShortChat, b.ShortChat) })
			dv.Dearest = modelView{Name: top.Name, Chat: top.ShortChat, On: true, Priced: true}
		}
		return
	}
	for i, name := range asked.Models {
		m := modelView{I: i, On: dc.Models[i], Name: name}
		if !names.ModelName(name) {
			m.Spelled, m.Name = names.Spell(name), "a model with a strange name"
		}
		if at := slices.IndexFunc(prices, func(p ModelInfo) bool { return p.Name == name }); at >= 0 {
			m.Priced, m.Chat = true, prices[at].ShortChat
		}
		if m.Chat > 0 {
			m.Cost = "≈ " + strings.TrimPrefix(web.About(int64(passport.Money(dc.Cents)*passport.Cent/m.Chat)), "about ")
		}
		dv.Models = append(dv.Models, m)
	}
	dv.compare()
}

// compare says of each model how much dearer it is than the cheapest that was asked for, in whole times, rounded down.
func (dv *detailView) compare() {
	var cheapest *modelView
	priced := 0
	for i := range dv.Models {
		if m := &dv.Models[i]; m.Chat > 0 {
			if priced++; cheapest == nil || m.Chat < cheapest.Chat {
				cheapest = m
			}
		}
	}
	if priced < 2 {
		return
	}
	for i := range dv.Models {
		m := &dv.Models[i]
		switch times := int64(m.Chat / cheapest.Chat); {
		case m == cheapest:
			m.Note = "The cheapest of these."
		case times > 1 && cheapest.Spelled == nil:
			m.Note = "About " + web.Num(times) + " times the price of " + cheapest.Name + "."
		}
	}
}

// buysText is what the money buys at today's prices, the dearest model included.
func buysText(dv detailView, dc detailChoice) string {
	var on []modelView
	if dv.Any && dv.Dearest.Chat > 0 {
		on = []modelView{dv.Dearest}
	}
	named := 0
	for _, m := range dv.Models {
		if m.On {
			named++
		}
		if m.On && m.Chat > 0 {
			on = append(on, m)
		}
	}
	if len(on) == 0 && named == 0 && !dv.Any {
		return "no model chosen, so it could do nothing"
	}
	if len(on) == 0 {
		return "no model with a price for chat, so what it buys is not known"
	}
	slices.SortStableFunc(on, func(a, b modelView) int { return cmp.Compare(a.Chat, b.Chat) })
	if len(on) > 2 {
		on = []modelView{on[0], on[len(on)-1]}
	}
	var parts []string
	for _, m := range on {
		n := int64(passport.Money(dc.Cents) * passport.Cent / m.Chat)
		text := web.About(n) + " short chats with " + m.Name
		if n < 1 {
			text = "less than one short chat with " + m.Name
		}
		if n > dc.Calls {
			text = "all " + web.Num(dc.Calls) + " calls with " + m.Name
		}
		if dv.Any {
			text += ", the dearest"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", or ")
}
