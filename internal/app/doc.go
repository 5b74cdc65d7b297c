// Package app is the program: its commands, its configuration, and how its parts are wired, served and drained.
// cmd/server is its main function; tests run commands by Execute.
package app
