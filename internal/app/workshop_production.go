//go:build production

package app

// workshop is empty in a production build.
type workshop struct{}
