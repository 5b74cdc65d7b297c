package uapay

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func (b *bundle) transfer(id string) (string, string) {
	b.Helper()
	show := b.call("p2p/payments/show", object{"id": id}, object{})
	return show.text("status"), object(show["operations"].([]any)[0].(map[string]any)).text("status")
}

func (b *bundle) initiate(kind, id string) string {
	b.Helper()
	return b.call("p2p/payments/"+kind+"/initiate", object{
		"externalId": id, "amount": 10000, "currency": "980", "description": "Order " + id, "callbackUrl": b.hook.URL,
	}, nil).text("paymentId")
}

func TestClassicTransfers(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	data := func(id, card string) object {
		return object{
			"externalId": id, "cardFrom": object{"id": b.card(card), "securityCode": "123"}, "cardTo": object{"id": b.card(CardSuccess)},
			"notify": object{"phone": "380000000000"}, "amount": 10000, "currency": 980, "callbackUrl": b.hook.URL,
		}
	}
	made := b.call("payments/p2p/direct/create", nil, data("tr-1", CardLookup))
	shown := func(want string) object {
		var show object
		b.eventually(func() bool {
			show = b.call("payments/p2p/show", object{"id": made["id"]}, nil)
			return show["status"] == want
		})
		return show
	}
	show := shown(SystemConfirm)
	require.Equal(t, "LOOKUP", show.object("confirmation")["type"])
	require.Equal(t, "380000000000", show.object("recipient")["phone"])
	require.IsType(t, "", show["number"])
	require.Equal(t, object{}, b.call("payments/p2p/confirm", object{"id": made["id"], "code": "123456"}, nil))
	shown(SystemFinished)
	engine := b.call("p2p/payments/show", object{"id": made["id"]}, object{})
	require.Equal(t, []any{"DIRECT", "FINISHED", json.Number("0")}, []any{engine["type"], engine["status"], engine["pendingAmount"]})
	require.Len(t, engine["operations"], 2)
	require.Equal(t, engine["id"], b.call("p2p/payments/show", object{"receiptId": engine["receiptId"]}, object{})["id"])
	list := b.call("payments/p2p/show/list", object{"externalIds": []string{"tr-1"}}, nil)["payments"].([]any)
	require.Len(t, list, 1)

	made = b.call("payments/p2p/direct/create", nil, data("tr-2", Card3DS))
	show = shown(SystemConfirm)
	require.Equal(t, b.base+"/api/payments/p2p/confirm", show.object("redirect")["url"])
	term := b.base + "/api/payments/p2p/confirm?" + url.Values{"id": {made.text("id")}, "redirect": {"https://shop.example/r"}}.Encode()
	_, where, _ := b.visit(http.MethodPost, term, url.Values{"PaRes": {pares("fail")}})
	require.Equal(t, "https://shop.example/r", where)
	shown(SystemRejected)

	commission := b.call("payments/p2p/commission/calculate", object{"amount": 10000, "paymentType": "C2A"}, nil)
	require.Equal(t, json.Number("300"), commission["commissionAmount"])
}

func TestC2A(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	pay := func(id, card string) {
		b.call("p2p/payments/c2a/complete", object{"paymentId": id, "device": device, "acsRedirectUrl": "https://shop.example/r"},
			object{"cardFrom": object{"id": b.card(card), "securityCode": "123"}})
	}
	reach := func(id, payment, operation string) {
		b.eventually(func() bool {
			p, o := b.transfer(id)
			return p == payment && o == operation
		})
	}
	id := b.initiate("c2a", "c-1")
	require.Equal(t, CodeDuplicate, b.refused("p2p/payments/c2a/initiate", object{"externalId": "c-1", "amount": 1, "currency": "980"}, nil))
	require.Equal(t, CodeFormat, b.refused("p2p/payments/c2a/initiate", object{"externalId": "c-9", "amount": 1, "currency": 980}, nil))
	reach(id, "WAITING_COMPLETE", "NEEDS_COMPLETE")
	pay(id, Card3DS)
	reach(id, "OPEN", "NEEDS_CONFIRMATION") // OPEN alone says nothing
	show := b.call("payments/p2p/show", object{"id": id}, nil)
	require.Equal(t, "3DS", show.object("confirmation")["type"])
	term := b.base + "/api/payments/p2p/confirm?id=" + id
	_, where, _ := b.visit(http.MethodPost, term, url.Values{"PaRes": {pares("success")}})
	require.Equal(t, "https://shop.example/r", where)
	reach(id, "FINISHED", "FINISHED")

	b.call("p2p/payments/c2a/reverse/initiate", object{"paymentId": id, "reverseExternalId": "rf-1"}, nil)
	reach(id, "WAITING_COMPLETE", "FINISHED")
	b.call("p2p/payments/c2a/reverse/cancel", object{"reverseExternalId": "rf-1"}, nil)
	reach(id, "FINISHED", "FINISHED")
	require.Equal(t, CodeDuplicate, b.refused("p2p/payments/c2a/reverse/initiate", object{"paymentId": id, "reverseExternalId": "rf-1"}, nil))
	b.call("p2p/payments/c2a/reverse/initiate", object{"externalId": "c-1", "reverseExternalId": "rf-2"}, nil)
	b.call("p2p/payments/c2a/reverse/complete", object{"paymentId": id}, nil)
	show = b.call("p2p/payments/show", object{"id": id}, object{})
	require.Equal(t, json.Number("10000"), show["returnAmount"])
	require.Equal(t, "FINISHED", show["status"])
	require.Len(t, show["operations"], 3)

	id = b.initiate("c2a", "c-2")
	pay(id, CardReject)
	reach(id, "REJECTED", "REJECTED")
	id = b.initiate("c2a", "c-3")
	b.call("p2p/payments/c2a/cancel", object{"externalId": "c-3"}, nil)
	reach(id, "OPEN", "CANCELED")
	require.Equal(t, CodeState, b.refused("p2p/payments/c2a/cancel", object{"paymentId": id}, nil))
	id = b.initiate("c2a", "c-4")
	b.call("p2p/payments/c2a/completeWithoutAcceptance", object{"paymentId": id}, object{"cardFrom": object{"id": b.card(Card3DS)}})
	reach(id, "FINISHED", "FINISHED")

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.TimeScale = 3_600_000 }))
	id = b.initiate("c2a", "c-5")
	reach(id, "OPEN", "CANCELED") // an hour later
}

func TestA2C(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for card, want := range map[string]string{CardSuccess: "FINISHED", CardReject: "REJECTED", Card3DS: "FINISHED"} {
		id := b.initiate("a2c", "a-"+card)
		b.call("p2p/payments/a2c/complete", object{"paymentId": id}, object{"cardTo": object{"pan": card}})
		b.eventually(func() bool { p, o := b.transfer(id); return p == want && o == want })
	}
	id := b.initiate("a2c", "a-c")
	b.call("p2p/payments/a2c/cancel", object{"paymentId": id}, nil)
	p, o := b.transfer(id)
	require.Equal(t, []string{"OPEN", "CANCELED"}, []string{p, o})
	require.Equal(t, CodeNotFound, b.refused("p2p/payments/c2a/cancel", object{"paymentId": id}, nil))
	seen := false
	for _, c := range b.callbacks(4) {
		seen = seen || c["externalId"] == "a-c" && c["paymentStatus"] == SystemCanceled && c["systemType"] == "P2P"
	}
	require.True(t, seen)
}
