package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a TCP connection's way through toxiproxy.
type link struct{ proxy *toxiproxy.Proxy }

func newLink(name, upstream string) (*link, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.New(io.Discard))
	p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start the proxy %s: %w", name, err)
	}
	return &link{p}, nil
}

func (l *link) address() string { return l.proxy.Listen }

// toxic makes the link misbehave: latency, reset_peer, limit_data, … in the direction downstream or upstream.
func (l *link) toxic(kind, stream string, attributes map[string]any) error {
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		return err
	}
	if _, err = l.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("add toxic %s: %w", kind, err)
	}
	return nil
}

// heal removes every toxic and lets new connections in.
func (l *link) heal() error {
	l.proxy.Toxics.ResetToxics(context.Background())
	if !l.proxy.Enabled {
		return l.proxy.Start()
	}
	return nil
}

// cut closes every connection and lets none in.
func (l *link) cut() { l.proxy.Stop() }
