// Package record keeps the requests that a provider simulator received, so that a
// test or a developer can see what was really sent. Card numbers, card codes and
// wallet payloads are masked before anything is kept.
package record
