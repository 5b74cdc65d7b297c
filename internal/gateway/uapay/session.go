package uapay

import (
	"context"
	"errors"
	"sync"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// sessionLife is for how long a session is used. The provider advises to renew daily at least (uapay.md 6).
const sessionLife = 12 * time.Hour

// errSession marks an answer that says that the session is not known, which proves that the call was not carried out.
var errSession = errors.New("the provider does not know the session")

// errNotSigned points an operator at the key.
var errNotSigned = errors.New("the provider's answer is not signed with this account's key: compare the account's secret with the merchant cabinet's")

// merchant is who a session belongs to.
type merchant struct{ base, clientID, key string }

// merchants keeps the sessions of all merchants of this process, so that several accounts of one merchant, or one that was
// opened twice, do not make a session each. Other replicas have sessions of their own: no source says that a new one ends
// an older one, and if it does, each replica renews its own and repeats the call.
type merchants struct {
	mu  sync.Mutex
	all map[merchant]*sessions
}

func (m *merchants) of(who merchant) *sessions {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[merchant]*sessions{}
	}
	if m.all[who] == nil {
		m.all[who] = newSessions()
	}
	return m.all[who]
}

// sessions keeps a merchant's session. One goroutine at a time asks for a new one, and the others wait for it.
type sessions struct {
	turn chan struct{} // holds one token; whoever has it may read and write the rest
	id   string
	made int // counts the sessions; the number of the present one
	ends time.Time
}

func newSessions() *sessions {
	s := &sessions{turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// session returns a session later than number spent, and its own number, making one if there is none. Sessions are told
// apart by number, since nobody promises that the provider gives a new one another id. Nothing of the caller's own request
// was sent when it fails, so an outcome that is unknown is KindNotSent to the caller.
func (g *Gateway) session(ctx context.Context, spent int) (string, int, error) {
	s := g.sessions
	select {
	case <-s.turn:
	case <-ctx.Done():
		return "", 0, &gateway.Error{Kind: gateway.KindNotSent, Op: sessionsCreate.op, Code: "timeout", Err: ctx.Err()}
	}
	defer func() { s.turn <- struct{}{} }()
	if s.id != "" && s.made > spent && g.now().Before(s.ends) {
		return s.id, s.made, nil
	}
	s.id = ""
	r, err := g.send(ctx, sessionsCreate, &clientParams{ClientID: g.clientID}, nil, nil)
	if err == nil && kit.Fit(r.ID, kit.IDShape) == "" {
		err = r.err(gateway.KindUnknown, sessionsCreate, "no_session")
	}
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		if e.Kind == gateway.KindUnknown {
			e.Kind = gateway.KindNotSent
		}
		if e.Code == codeUnsigned || e.Code == codeSignature {
			e.ProviderData["signature"] = e.Code
			e.Code, e.Err = gateway.CodeNotSigned, errNotSigned
		}
		return "", 0, e
	}
	s.id, s.made, s.ends = string(r.ID), s.made+1, g.now().Add(sessionLife)
	return s.id, s.made, nil
}
