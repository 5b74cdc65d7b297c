// Package page renders the simulators' web pages: one layout, one style sheet,
// no outside resources, a strict content security policy. Everything works
// without JavaScript; scripts only help with typing.
package page
